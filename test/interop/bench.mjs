// What mls/group measures in BenchmarkMLS, done by ts-mls in the same rooms and
// printed in the same form:
//   node test/interop/bench.mjs <folder of rooms> <suite> <members> <milliseconds for each>
// External joins are left out: ts-mls encodes external_pub in a way of its own.
import { readFileSync } from 'node:fs'
import * as m from 'ts-mls'
import { hybrid } from './hybrid.mjs'
import { ratchetTreeDecoder, ratchetTreeEncoder } from './node_modules/ts-mls/dist/src/ratchetTree.js' // not exported

const [, , folder, shortName, count, milliseconds] = process.argv
const members = Number(count)
const budget = Number(milliseconds)
const names = {
  1: 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519',
  3: 'MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519',
  hybrid: 'MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519',
}
const name = names[shortName]
const suite = shortName === 'hybrid' ? await hybrid() : await m.getCiphersuiteImpl(name)
const context = { cipherSuite: suite, authService: m.unsafeTestingAuthenticationService }

const bytes = (base64) => new Uint8Array(Buffer.from(base64, 'base64'))
const encode = (message) => m.encode(m.mlsMessageEncoder, message)
const decode = (b) => {
  const read = m.mlsMessageDecoder(b, 0)
  if (!read) throw new Error('not an MLSMessage')
  return read[0]
}
const credential = (text) => ({ credentialType: m.defaultCredentialTypes.basic, identity: new TextEncoder().encode(text) })

function openRoom(temperature) {
  const r = JSON.parse(readFileSync(`${folder}/${name}-${members}-${temperature}.json`))
  const person = (p) => ({
    publicPackage: decode(bytes(p.KeyPackage)).keyPackage,
    privatePackage: { initPrivateKey: bytes(p.Init), hpkePrivateKey: bytes(p.Leaf), signaturePrivateKey: bytes(p.Signature) },
  })
  return {
    ann: person(r.Ann),
    bob: person(r.Bob),
    welcome: r.Welcome && bytes(r.Welcome),
    tree: r.Tree && bytes(r.Tree),
    others: r.Others.map(bytes),
  }
}

// cpuTime is what this process has had of all cores, in milliseconds.
function cpuTime() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

// measure runs f once before the clock starts, then for the budget, and at least
// once. f returns a size in bytes, and may put what is not to be measured aside.
async function measure(what, f) {
  const apart = { wall: 0, cpu: 0 }
  const aside = async (g) => {
    const wall = performance.now()
    const cpu = cpuTime()
    await g()
    apart.cpu += cpuTime() - cpu
    apart.wall += performance.now() - wall
  }
  const size = await f(aside)
  Object.assign(apart, { wall: 0, cpu: 0 })
  let rounds = 0
  let wall = 0
  const start = performance.now()
  const startCPU = cpuTime()
  do {
    await f(aside)
    rounds++
    wall = performance.now() - start - apart.wall
  } while (wall < budget)
  const cpu = cpuTime() - startCPU - apart.cpu
  const each = (milliseconds) => Math.round((milliseconds * 1e6) / rounds)
  console.log(`BenchmarkMLS/${shortName}/${members}/${what} ${rounds} ${each(wall)} ns/op ${each(cpu)} cpu-ns/op ${size} bytes`)
}

async function client() {
  const known = m.defaultCapabilities()
  const kp = await m.generateKeyPackage({
    credential: credential('somebody'),
    capabilities: { ...known, ciphersuites: [...new Set([...known.ciphersuites, suite.id])] },
    cipherSuite: suite,
  })
  return kp
}

const packageSize = (kp) => encode({ version: 1, wireformat: m.wireformats.mls_key_package, keyPackage: kp.publicPackage }).length
const create = (kp) =>
  m.createGroup({
    context,
    groupId: new TextEncoder().encode('a room to measure'),
    keyPackage: kp.publicPackage,
    privateKeyPackage: kp.privatePackage,
  })
const add = (keyPackage) => ({ proposalType: m.defaultProposalTypes.add, add: { keyPackage } })

// commit includes what our commits include: the bytes of the message and of the
// Welcome, and the GroupInfo of the next epoch for external joiners.
async function commit(state, extraProposals = []) {
  const r = await m.createCommit({ context, state, extraProposals, wireAsPublicMessage: true })
  const info = await m.createGroupInfoWithExternalPub(r.newState, [], suite)
  encode({ version: 1, wireformat: m.wireformats.mls_group_info, groupInfo: info })
  const welcome = r.welcome && encode(r.welcome)
  return { state: r.newState, message: encode(r.commit), welcome }
}

async function join(room, person) {
  const read = ratchetTreeDecoder(room.tree, 0)
  if (!read) throw new Error('not a tree')
  return m.joinGroup({
    context,
    welcome: decode(room.welcome).welcome,
    keyPackage: person.publicPackage,
    privateKeys: person.privatePackage,
    ratchetTree: read[0],
  })
}

const receive = async (state, message) => m.processMessage({ context, state, message: decode(message), callback: m.acceptAll })

async function sendPath(from, to) {
  const c = await commit(from)
  return [c.state, (await receive(to, c.message)).newState]
}

async function pair(room) {
  const founded = await create(await client())
  const c = await commit(founded, [add(room.bob.publicPackage)])
  const ann = c.state
  const bob = await join({ welcome: c.welcome, tree: m.encode(ratchetTreeEncoder, ann.ratchetTree) }, room.bob)
  const [b, a] = await sendPath(bob, ann)
  return [a, b]
}

async function measureJoin(what, room) {
  await measure(what, async () => {
    await join(room, room.bob)
    return room.tree.length + room.welcome.length
  })
}

async function measurePair(suffix, ann, bob) {
  await measure(`commit${suffix}`, async () => (await commit(ann)).message.length)
  const { message } = await commit(ann)
  await measure(`follow${suffix}`, async () => {
    await receive(bob, message)
    return message.length
  })
}

async function measureOne(room, ann, bob) {
  const { keyPackage } = decode(room.others[0])
  await measure('add', async () => (await commit(ann, [add(keyPackage)])).message.length)
  const stored = m.encode(m.clientStateEncoder, ann)
  await measure('load', async () => {
    if (!m.clientStateDecoder(stored, 0)) throw new Error('not a state')
    return 0
  })
  const text = new Uint8Array(200)
  let from = bob
  await measure('seal', async () => {
    const r = await m.createApplicationMessage({ context, state: from, message: text })
    from = r.newState
    return encode(r.message).length
  })
  const sealed = []
  let to = bob
  let sender = ann
  const more = async () => {
    for (let i = 0; i < 256; i++) {
      const r = await m.createApplicationMessage({ context, state: sender, message: text })
      sender = r.newState
      sealed.push(encode(r.message))
    }
  }
  await measure('open', async (aside) => {
    if (sealed.length === 0) await aside(more)
    const next = sealed.shift()
    const r = await receive(to, next)
    if (r.kind !== 'applicationMessage') throw new Error('not opened')
    to = r.newState
    return next.length
  })
}

// warmUp works for a second, until the engine has compiled what is used most.
async function warmUp(room) {
  for (const start = cpuTime(); cpuTime() - start < 1000; ) {
    let [from, to] = await pair(room)
    for (let i = 0; i < 10; i++) {
      const r = await m.createApplicationMessage({ context, state: from, message: new TextEncoder().encode('hello') })
      from = r.newState
      to = (await receive(to, encode(r.message))).newState
    }
  }
}

const warm = openRoom('warm')
await warmUp(warm)
await measure('client', async () => packageSize(await client()))
const founder = await client()
await measure('create', async () => {
  await create(await client())
  return 0
})
const alone = await create(founder)
const everybody = warm.others.map((o) => add(decode(o).keyPackage))
await measure('fill', async () => (await commit(alone, everybody)).message.length)

if (members === 2) {
  const [ann, bob] = await pair(warm)
  await measurePair('', ann, bob)
  await measureOne(warm, ann, bob)
} else {
  const cold = openRoom('cold')
  await measureJoin('join', cold)
  await measureJoin('join-warm', warm)
  let ann = await join(cold, cold.ann)
  let bob = await join(cold, cold.bob)
  await measurePair('-cold', ann, bob)
  ann = await join(warm, warm.ann)
  bob = await join(warm, warm.bob)
  ;[ann, bob] = await sendPath(ann, bob)
  ;[bob, ann] = await sendPath(bob, ann)
  await measurePair('', ann, bob)
  await measureOne(warm, ann, bob)
}
