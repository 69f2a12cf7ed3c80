// Vite's hot updates as its own client hears them: node hmr.js PORT NAME FILE. Edits FILE once connected, prints what it was told.
const fs = require("fs")
const WebSocket = require("ws")

const [port, name, file] = process.argv.slice(2)
const origin = `http://${name}:${port}`
const get = async (path) => {
  const http = require("http")
  return new Promise((resolve, reject) => http.get({ port, host: "127.0.0.1", path, headers: { Host: `${name}:${port}` } }, (response) => {
    let text = ""
    response.on("data", (data) => { text += data })
    response.on("end", () => resolve(text))
  }).on("error", reject))
}

async function main() {
  const page = await get("/")
  const client = await get("/@vite/client")
  const token = (client.match(/wsToken = "([^"]+)"/) || [])[1]
  await get("/main.js") // what no browser has asked for has no hot update
  const socket = new WebSocket(`ws://127.0.0.1:${port}/?token=${token}`, "vite-hmr", {
    headers: { Host: `${name}:${port}`, Origin: origin },
  })
  const told = []
  await new Promise((resolve, reject) => {
    socket.on("error", reject)
    socket.on("message", (data) => {
      const message = JSON.parse(data)
      told.push(message)
      if (message.type === "connected") fs.writeFileSync(file, "export const word = 'after'\nimport.meta.hot.accept()\n")
      if (message.type === "update") resolve()
    })
  })
  const path = told[1].updates[0].path
  console.log(JSON.stringify({
    page: page.includes("/@vite/client"), protocol: socket.protocol, types: told.map((each) => each.type), path,
    served: (await get(`${path}?t=${told[1].updates[0].timestamp}`)).includes("after"),
  }))
  socket.terminate()
}
main()
