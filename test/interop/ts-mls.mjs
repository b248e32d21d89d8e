// ts-mls with one suite more: the hybrid of docs/spec/mls.md. The peer beside
// which ts-mls-pqsuite.mjs lies asks for it by name, like for the others.
import * as m from 'ts-mls'

export * from 'ts-mls'

const HYBRID = 'MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519'

export async function getCiphersuiteImpl(name) {
  if (name !== HYBRID) return m.getCiphersuiteImpl(name)
  process.argv.length = 2 // with an argument that module tests itself when it is loaded
  const { tbd1 } = await globalThis.vecheHybrid()
  return tbd1()
}

// Leaf nodes must list the suite of their group, and theirs list only those that
// ts-mls knows by itself.
export function generateKeyPackage(params) {
  const known = m.defaultCapabilities()
  const id = params.cipherSuite.id ?? m.ciphersuites[params.cipherSuite.name]
  const ciphersuites = known.ciphersuites.includes(id) || id === undefined ? known.ciphersuites : [...known.ciphersuites, id]
  return m.generateKeyPackage({ capabilities: { ...known, ciphersuites }, ...params })
}
