// Start the AT Protocol network on free ports of this machine; print its addresses as one line of JSON when it is ready.
// Called by tests/atproto/network.py. It ends when its standard input does.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const modules = createRequire(process.env.PLATFORMS + '/')
const { TestNetwork, TestNetworkNoAppView } = await import(pathToFileURL(modules.resolve('@atproto/dev-env')).href)
const pds = { hostname: 'localhost', rateLimitsEnabled: process.env.RATE_LIMITS === 'on' }
const network = process.env.DB_POSTGRES_URL
  ? await TestNetwork.create({ dbPostgresSchema: 'network', pds })
  : await TestNetworkNoAppView.create({ pds })
const addresses = { pds: network.pds.url, plc: network.plc.url, appview: network.bsky?.url ?? null }
process.stdout.write(JSON.stringify(addresses) + '\n')

let waiting = ''
process.stdin.on('data', async (data) => {
  // Each line asks to be answered once the AppView has indexed all that the PDS has.
  waiting += data
  while (waiting.includes('\n')) {
    waiting = waiting.slice(waiting.indexOf('\n') + 1)
    try {
      await network.processAll()
      process.stdout.write('{"indexed": true}\n')
    } catch (error) {
      process.stdout.write(JSON.stringify({ indexed: false, why: String(error) }) + '\n')
    }
  }
})
process.stdin.on('end', () => process.exit(0))
