// Lets a peer that lies elsewhere find the packages of this folder:
//   node --import <here>/resolve.mjs <there>/ts-mls-peer.mjs <suite>
// 'ts-mls' becomes ts-mls.mjs beside this file, with the hybrid suite added.
import { register } from 'node:module'
import { realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const peer = process.argv[1] ? pathToFileURL(realpathSync(process.argv[1])).href : import.meta.url // modules go by their real names
const hybrid = new URL('ts-mls-pqsuite.mjs', peer).href
globalThis.vecheHybrid = () => import(hybrid)
register('./hooks.mjs', import.meta.url, { data: { home: import.meta.url, peers: new URL('.', peer).href, hybrid } })
