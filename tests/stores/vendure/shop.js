// Start a Vendure shop on 127.0.0.1:PORT; GET /health says when it is ready.
// Called by tests/stores/vendure_server.py. It ends when its standard input does. The search plugin is left out: it
// slows each write, and adapters do not use it. A line {"seed": [{sku, title, description, price, stock}]} of standard
// input adds products, and is answered by a line {"ok": true}.
const { createRequire } = require('node:module')
const { createHash, createHmac, randomUUID } = require('node:crypto')
const { readFileSync } = require('node:fs')

const env = process.env
const modules = createRequire(env.MODULES + '/')
modules('reflect-metadata')
const core = modules('@vendure/core')
const { AssetServerPlugin } = modules('@vendure/asset-server-plugin')

const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\n')
const log = (level) => (message, context) => process.stderr.write(`${level} ${context ?? ''} ${message}\n`)
const quiet = () => {}
const logger = { error: log('ERROR'), warn: log('WARN'), info: quiet, verbose: quiet, debug: quiet }

// ---- webhooks: the file HOOKS holds {"url", "secret"} while somebody wants them ----------------------------------

function receiver() {
  try {
    return JSON.parse(readFileSync(env.HOOKS, 'utf8'))
  } catch {
    return null
  }
}

async function deliver(type, ids) {
  const body = JSON.stringify({ id: randomUUID(), type, at: new Date().toISOString(), ...ids })
  for (let tries = 0; tries < 3; tries++) {
    const to = receiver() // again each time: a test may have moved it
    if (!to) return
    const signature = createHmac('sha256', to.secret).update(body).digest('hex')
    const headers = { 'content-type': 'application/json', 'x-shop-signature': signature }
    try {
      if ((await fetch(to.url, { method: 'POST', headers, body, signal: AbortSignal.timeout(5000) })).ok) return
    } catch (error) {
      logger.warn(`hook ${type}: ${error}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 200 * 2 ** tries))
  }
}

const id = (value) => (value == null ? undefined : String(value))

class HookPlugin {
  constructor(bus) {
    this.bus = bus
  }
  onApplicationBootstrap() {
    const on = (event, handle) => this.bus.ofType(event).subscribe(handle)
    on(core.ProductEvent, (e) => deliver(`product.${e.type}`, { product: id(e.entity.id) }))
    on(core.ProductVariantEvent, (e) =>
      deliver(`variant.${e.type}`, { variants: e.entity.map((one) => id(one.id)) }))
    on(core.StockMovementEvent, (e) =>
      deliver('stock.changed', { movement: e.type, variants: e.stockMovements.map((one) => id(one.productVariant.id)) }))
    on(core.OrderPlacedEvent, (e) => deliver('order.placed', { order: id(e.order.id), code: e.order.code }))
    on(core.OrderStateTransitionEvent, (e) =>
      deliver('order.state', { order: id(e.order.id), code: e.order.code, from: e.fromState, to: e.toState }))
  }
}
Reflect.defineMetadata('design:paramtypes', [core.EventBus], HookPlugin)
core.VendurePlugin({ imports: [core.PluginCommonModule], compatibility: '^3.0.0' })(HookPlugin)

// ---- the one API key, known beforehand ----------------------------------------------------------------------------

class KnownApiKey extends core.RandomBytesApiKeyStrategy {
  constructor() {
    super()
    this.lastUsedAtUpdateInterval = '1 hour' // else each request writes
    // Vendure's own is bcrypt with 12 rounds: a fifth of a second of processor for each request.
    const hash = async (text) => createHash('sha256').update(text).digest('hex')
    this.hashingStrategy = { hash, check: async (text, known) => (await hash(text)) === known }
  }
  async generateLookupId() {
    return env.API_KEY.split(':')[0]
  }
  async generateSecret() {
    return env.API_KEY.split(':')[1]
  }
}

const config = {
  apiOptions: { hostname: '127.0.0.1', port: Number(env.PORT), cors: false },
  authOptions: {
    tokenMethod: ['bearer', 'api-key'],
    requireVerification: false,
    cookieOptions: { secret: env.PASSWORD },
    superadminCredentials: { identifier: env.USERNAME, password: env.PASSWORD },
    adminApiKeyStrategy: new KnownApiKey(),
  },
  dbConnectionOptions: {
    type: 'better-sqlite3',
    database: env.DATABASE,
    synchronize: env.SYNCHRONIZE === '1',
    logging: false,
    prepareDatabase: (db) => {
      db.pragma('journal_mode=WAL')
      db.pragma('synchronous=NORMAL')
      db.pragma('busy_timeout=10000')
    },
  },
  paymentOptions: { paymentMethodHandlers: [core.dummyPaymentHandler] },
  systemOptions: { disableTelemetry: true },
  plugins: [HookPlugin, AssetServerPlugin.init({ route: 'assets', assetUploadDir: env.ASSETS })],
  logger,
}

// ---- the seed: no events are sent for it --------------------------------------------------------------------------

async function seed(app, products) {
  const importer = app.get(core.FastImporterService)
  await importer.initialize()
  const { items } = await app.get(core.TaxCategoryService).findAll(core.RequestContext.empty())
  for (const { sku, title, description, price, stock } of products) {
    const words = { languageCode: 'en', name: title, slug: title.toLowerCase().replaceAll(' ', '-'), description }
    const productId = await importer.createProduct({ enabled: true, translations: [words] })
    await importer.createProductVariant({
      productId, sku, price, stockOnHand: stock, enabled: true, taxCategoryId: items[0].id,
      translations: [{ languageCode: 'en', name: title }],
    })
  }
}

// ---- start --------------------------------------------------------------------------------------------------------

const started = core.bootstrap(config).then(async (app) => {
  await app.get(core.JobQueueService).start()
  return app
})
started.catch((error) => {
  log('ERROR')(error?.stack ?? String(error))
  process.exit(1)
})

let waiting = ''
process.stdin.on('end', () => process.exit(0))
process.stdin.on('data', async (data) => {
  waiting += data
  const lines = waiting.split('\n')
  waiting = lines.pop()
  for (const line of lines) {
    try {
      await seed(await started, JSON.parse(line).seed)
      say({ ok: true })
    } catch (error) {
      say({ ok: false, error: String(error?.stack ?? error) })
    }
  }
})
