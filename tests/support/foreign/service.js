// The sample service (see services.py) on Node's own http and the npm package ws: node service.js PORT, with NODE_PATH.
const http = require("http")
const crypto = require("crypto")
const { WebSocketServer } = require("ws")

const log = []
const piece = Buffer.alloc(65536)
const now = () => Number(process.hrtime.bigint()) / 1e9

const paths = {
  "/echo": (request, response) => request.pipe(response),
  "/events": (request, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" })
    response.write(`data: ${now().toFixed(6)}\n\n`)
    response.on("close", () => log.push("left /events"))
  },
  "/endless": (request, response) => {
    let sent = 0
    let left = false
    response.on("close", () => { left = true; log.push(`left /endless ${sent}`) })
    const on = () => {
      while (!left) {
        sent += piece.length
        if (!response.write(piece)) { response.once("drain", on); return }
      }
    }
    on()
  },
  "/cut": (request, response) => {
    response.writeHead(200, request.url.endsWith("sized") ? { "Content-Length": 100 } : {})
    response.write("part", () => request.socket.destroy())
  },
  "/hints": (request, response) => response.writeEarlyHints({ link: "</a.css>; rel=preload" }, () => response.end("ok")),
  "/trailers": (request, response) => {
    response.writeHead(200, { Trailer: "Checksum" })
    response.write("body")
    response.addTrailers({ Checksum: "abc" })
    response.end()
  },
  "/log": (request, response) => response.end(log.join("\n")),
}

const digest = (request, response) => {
  const hash = crypto.createHash("sha256")
  let length = 0
  request.on("data", (data) => { hash.update(data); length += data.length })
  request.on("end", () => response.end(`${request.method} ${length} ${hash.digest("hex")}`))
}

const server = http.createServer((request, response) => {
  const path = request.url.split("?")[0]
  if (path.startsWith("/status/")) {
    response.writeHead(Number(path.slice(8)))
    response.end()
  } else (paths[path] || digest)(request, response)
})
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: true, maxPayload: 1 << 30 })
server.on("upgrade", (request, socket, head) => {
  if (request.url.endsWith("refuse")) {
    socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\nConnection: close\r\n\r\nnot you")
    return
  }
  sockets.handleUpgrade(request, socket, head, (connection) => {
    connection.on("error", () => {})
    connection.on("close", (code) => log.push(`closed ${code}`))
    connection.on("message", (data, binary) => {
      const [word, code, reason] = binary ? [] : data.toString().split(" ")
      if (word === "abort") socket.resetAndDestroy()
      else if (word === "close") connection.close(Number(code), reason)
      else connection.send(data, { binary })
    })
  })
})
server.listen(Number(process.argv[2]), "127.0.0.1", 1024)
