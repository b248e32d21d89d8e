// The hybrid suite of docs/spec/mls.md for ts-mls, which lacks it: X-Wing is the
// same KEM as MLKEM768-X25519, except for how key pairs are derived
// (draft-ietf-hpke-pq, DeriveKeyPair over SHAKE256).
import { Aes128Gcm, CipherSuite, HkdfSha256 } from '@hpke/core'
import { XWing } from '@hpke/hybridkem-x-wing'
import { shake256 } from 'mlkem'
import { getCiphersuiteImpl } from 'ts-mls'
import { makeGenericHpke } from './node_modules/ts-mls/dist/src/crypto/implementation/hpke.js'

const kemID = [0x64, 0x7a]
const seedSize = 32

class Hybrid extends XWing {
  async deriveKeyPair(ikm) {
    const text = (s) => new TextEncoder().encode(s)
    const label = text('DeriveKeyPair')
    const input = [new Uint8Array(ikm), text('HPKE-v1'), text('KEM'), kemID, [0, label.length], label, [0, seedSize]]
    const seed = shake256.create({ dkLen: seedSize }).update(Uint8Array.from(input.flatMap((part) => [...part]))).digest()
    return this.generateKeyPairDerand(new Uint8Array(seed))
  }
}

export async function hybrid() {
  const base = await getCiphersuiteImpl('MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519')
  const names = { kem: 'X-Wing', kdf: 'HKDF-SHA256', aead: 'AES128GCM' }
  const aead = { encrypt: base.hpke.encryptAead, decrypt: base.hpke.decryptAead }
  const parts = new CipherSuite({ kem: new Hybrid(), kdf: new HkdfSha256(), aead: new Aes128Gcm() })
  return { ...base, hpke: await makeGenericHpke(names, aead, parts), id: 0xf0b1 }
}
