// One process of the AT Protocol network, on loopback. `network.mjs rest` is the directory of accounts (PLC) and the
// AppView; `network.mjs pds` is the server of the accounts, which the harness kills and starts again over the same data.
// Called by fleet/chaos/surfaces/network.py. Settings are variables of the environment; addresses go to a file.
import fs from 'node:fs'
import path from 'node:path'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const env = process.env
const modules = createRequire(env.PLATFORMS + '/')
const dev = await import(pathToFileURL(modules.resolve('@atproto/dev-env')).href)
const pdsUrl = `http://localhost:${env.PDS_PORT}`
const nowhere = { Url: 'http://127.0.0.1:1', Did: 'did:example:nobody' }

function tell(file, what) {
  fs.writeFileSync(file + '.new', JSON.stringify(what))
  fs.renameSync(file + '.new', file)
}

async function rest() {
  const plc = await dev.TestPlc.create({})
  const bsync = await dev.TestBsync.create({
    apiKeys: ['bsync-api-key'], dbUrl: env.DB_POSTGRES_URL, dbSchema: 'bsync_network',
  })
  const bsky = await dev.TestBsky.create({
    plcUrl: plc.url, pdsPort: Number(env.PDS_PORT), repoProvider: `ws://localhost:${env.PDS_PORT}`,
    bsyncApiKey: 'bsync-api-key', bsyncUrl: bsync.url, dbPostgresUrl: env.DB_POSTGRES_URL,
    dbPostgresSchema: 'appview_network', redisHost: '127.0.0.1:1', modServiceDid: nowhere.Did,
  })
  bsync.ctx.dataplaneClients = [bsky.ctx.dataplane]
  const pds = {
    url: pdsUrl, port: Number(env.PDS_PORT),
    ctx: { cfg: { service: { publicUrl: pdsUrl }, identity: { serviceHandleDomains: ['.test'] } } },
  }
  dev.mockResolvers(bsky.ctx.idResolver, pds)
  dev.mockResolvers(bsky.dataplane.idResolver, pds)
  tell(env.ADDRESSES, { plc: plc.url, appview: bsky.url, appview_did: bsky.serverDid })
}

async function pds() {
  const { plc, appview, appview_did } = JSON.parse(fs.readFileSync(env.ADDRESSES, 'utf8'))
  const server = await dev.TestPds.create({
    port: Number(env.PDS_PORT), hostname: 'localhost', didPlcUrl: plc, bskyAppViewUrl: appview,
    bskyAppViewDid: appview_did, modServiceUrl: nowhere.Url, modServiceDid: nowhere.Did,
    dataDirectory: path.join(env.DATA, 'pds'), blobstoreDiskLocation: path.join(env.DATA, 'blobs'),
    plcRotationKeyK256PrivateKeyHex: env.ROTATION_KEY, rateLimitsEnabled: env.RATE_LIMITS === 'on',
    rateLimitBypassKey: env.BYPASS_KEY,
  })
  dev.mockResolvers(server.ctx.idResolver, server)
  let asked = fs.existsSync(env.FIREHOSE_WANTED)
  // All operations since the start, in their order, when the harness asks for them by making a file.
  setInterval(async () => {
    if (asked || !fs.existsSync(env.FIREHOSE_WANTED)) return
    asked = true
    const found = []
    for (let after = 0; ;) {
      const events = await server.ctx.sequencer.requestSeqRange({ earliestSeq: after, limit: 500 })
      if (events.length === 0) break
      after = events.at(-1).seq
      for (const { type, time, evt } of events) {
        if (type !== 'commit') continue
        for (const op of evt.ops) found.push({ time, did: evt.repo, action: op.action, path: op.path })
      }
    }
    tell(env.FIREHOSE, found)
  }, 200)
}

await (process.argv[2] === 'pds' ? pds() : rest())
process.on('SIGTERM', () => process.exit(0))
