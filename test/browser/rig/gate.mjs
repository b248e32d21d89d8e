// A router between devices and the media of a server: another address of
// loopback, through which each way goes on to the server until it is shut.
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";

const tlsHandshake = 0x16; // first byte of TLS; ICE-TCP begins with a length

/** Gate passes on what comes to port on address: UDP, ICE-TCP ("tcp") and TLS ("tls"). */
export class Gate {
  constructor(address, port) {
    this.address = address;
    this.port = port;
    this.shut = new Set();
    this.connections = new Set();
    this.ways = new Map(); // sockets towards the server, by the device's address
  }

  async open() {
    this.udp = createSocket("udp4").on("message", (b, from) => this.#datagram(b, from));
    await new Promise((resolve) => this.udp.bind(this.port, this.address, resolve));
    this.tcp = createServer((c) => this.#connection(c));
    await new Promise((resolve) => this.tcp.listen(this.port, this.address, resolve));
  }

  /** close lets nothing through of these ways any more: "udp", "tcp", "tls". */
  close(...ways) {
    for (const way of ways) this.shut.add(way);
    for (const c of this.connections) if (this.shut.has(c.way)) c.end();
  }

  #datagram(b, from) {
    if (this.shut.has("udp")) return;
    const name = `${from.address}:${from.port}`;
    let way = this.ways.get(name);
    if (!way) {
      way = createSocket("udp4").on("message", (back) => {
        if (!this.shut.has("udp")) this.udp.send(back, from.port, from.address);
      });
      way.on("error", () => {}); // the server is away
      this.ways.set(name, way);
    }
    way.send(b, this.port, "127.0.0.1");
  }

  #connection(device) {
    device.on("error", () => device.destroy());
    device.once("data", (first) => {
      const way = first[0] === tlsHandshake ? "tls" : "tcp";
      if (this.shut.has(way)) return device.destroy();
      const server = connect(this.port, "127.0.0.1", () => {
        server.write(first);
        device.pipe(server);
        server.pipe(device);
      });
      const both = {
        way,
        end: () => {
          device.destroy();
          server.destroy();
          this.connections.delete(both);
        },
      };
      this.connections.add(both);
      server.on("error", both.end);
      for (const s of [device, server]) s.on("close", both.end);
    });
  }

  /** remove ends the gate itself. */
  remove() {
    for (const c of this.connections) c.end();
    for (const way of this.ways.values()) way.close();
    this.udp?.close();
    this.tcp?.close();
  }
}
