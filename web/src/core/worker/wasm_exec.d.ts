// wasm_exec.js comes with the Go that built veche.wasm (GOROOT/lib/wasm); the
// build puts it here. It sets globalThis.Go.
export {};

declare global {
  class Go {
    readonly importObject: WebAssembly.Imports;
    run(instance: WebAssembly.Instance): Promise<void>; // settles when the program ends
  }
}
