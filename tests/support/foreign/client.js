// What undici sees of the sample service at 127.0.0.1:PORT under a name: node client.js PORT NAME
const { Client, Pool, EventSource, Agent, fetch } = require("undici")
const { createHash, randomBytes } = require("crypto")
const { Readable } = require("stream")

const [port, name] = process.argv.slice(2)
const origin = `http://127.0.0.1:${port}`
const headers = { host: name }
const digest = (method, body) => `${method} ${body.length} ${createHash("sha256").update(body).digest("hex")}`

async function main() {
  const seen = {}
  const pool = new Pool(origin, { connections: 4, pipelining: 5 })
  const paths = Array.from({ length: 200 }, (_, number) => `/${number}`)
  const answers = await Promise.all(paths.map(async (path) => {
    const { statusCode, body } = await pool.request({ path, method: "GET", headers })
    return statusCode === 200 && (await body.text()) === digest("GET", "")
  }))
  seen.pipelined = answers.filter(Boolean).length

  const big = randomBytes(3 << 20)
  const sized = await pool.request({ path: "/", method: "PUT", headers, body: big })
  seen.sized = (await sized.body.text()) === digest("PUT", big)
  const chunked = await pool.request({ path: "/", method: "POST", headers, body: Readable.from([big, big]) })
  seen.chunked = (await chunked.body.text()) === digest("POST", Buffer.concat([big, big]))
  const expecting = await pool.request({ path: "/", method: "PUT", headers, body: "hello", blocking: true })
  seen.small = (await expecting.body.text()) === digest("PUT", Buffer.from("hello"))
  const head = await pool.request({ path: "/x", method: "HEAD", headers })
  seen.head = [head.statusCode, (await head.body.text()).length]
  const none = await pool.request({ path: "/status/204", method: "GET", headers })
  seen.none = [none.statusCode, (await none.body.text()).length]

  const hints = []
  const hinted = await pool.request({
    path: "/hints", method: "GET", headers, onInfo: ({ statusCode, headers }) => hints.push([statusCode, headers.link]),
  })
  seen.hinted = [hinted.statusCode, await hinted.body.text(), hints]
  const trailed = await pool.request({ path: "/trailers", method: "GET", headers })
  seen.trailed = [await trailed.body.text(), trailed.trailers]

  const cut = await pool.request({ path: "/cut", method: "GET", headers })
  seen.cut = await cut.body.text().then(() => "whole", (error) => error.code)

  const controller = new AbortController()
  const endless = await pool.request({ path: "/endless", method: "GET", headers, signal: controller.signal })
  for await (const piece of endless.body) { seen.endless = piece.length > 0; break }
  controller.abort()
  await pool.destroy()

  // fetch takes the name from the address: connect leads it to the proxy
  const dispatcher = new Agent({ connect: { lookup: (_, options, done) => options.all
    ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4) } })
  const fetched = await fetch(`http://${name}:${port}/a?b=c`, { dispatcher, method: "POST", body: "a=b" })
  seen.fetched = [fetched.status, (await fetched.text()) === digest("POST", Buffer.from("a=b"))]
  const source = new EventSource(`http://${name}:${port}/events`, { dispatcher })
  seen.event = await new Promise((resolve) => { source.onmessage = ({ data }) => resolve(Number(data) > 0) })
  source.close()
  await dispatcher.destroy()
  console.log(JSON.stringify(seen))
}
main()
