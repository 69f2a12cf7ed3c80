// What ws sees of the WebSocket at 127.0.0.1:PORT under a name: node sockets.js PORT NAME DEFLATE SIZES
const WebSocket = require("ws")

const [port, name, deflate, sizes] = process.argv.slice(2)
const open = (path = "/ws") =>
  new WebSocket(`ws://127.0.0.1:${port}${path}`, {
    headers: { Host: name }, perMessageDeflate: deflate === "deflate", maxPayload: 1 << 30,
  })
const once = (socket, event) =>
  new Promise((resolve, reject) => {
    socket.once(event, (...all) => resolve(all))
    socket.once("error", reject)
  })
const said = (socket) => new Promise((resolve) => {
  socket.on("error", () => {})
  socket.once("close", (code, reason) => resolve([code, reason.toString()]))
})

async function main() {
  const first = open()
  await once(first, "open")
  const seen = { echoed: [] }
  for (const size of sizes.split(",").map(Number)) {
    const sent = Buffer.alloc(size, 0xa5)
    first.send(sent)
    const [data, binary] = await once(first, "message")
    if (binary && data.equals(sent)) seen.echoed.push(size)
  }
  first.send("text ä")
  seen.text = (await once(first, "message"))[0].toString()
  first.send("frag", { fin: false })
  first.send("ments", { fin: true })
  seen.fragments = (await once(first, "message"))[0].toString()
  first.ping("are you there")
  seen.pong = (await once(first, "pong"))[0].toString()
  seen.deflate = first.extensions.includes("permessage-deflate")
  first.close(4000, "yours")
  await once(first, "close")

  const second = open()
  await once(second, "open")
  second.send("close 4001 mine")
  seen.said = await said(second)

  const third = open("/ws?refuse")
  third.on("error", () => {})
  const [, response] = await new Promise((resolve) => third.once("unexpected-response", (...all) => resolve(all)))
  seen.refused = response.statusCode
  third.terminate()
  console.log(JSON.stringify(seen))
}
main()
