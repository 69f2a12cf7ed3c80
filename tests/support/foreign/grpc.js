// gRPC on @grpc/grpc-js, without generated code, with NODE_PATH: node grpc.js serve, which prints its port and serves what
// support/grpc_service.py does; node grpc.js call PORT, which prints what a client sees of either under the name api.dev.test.
const grpc = require("@grpc/grpc-js")

const same = (message) => message
const method = (name, requestStream, responseStream) => ({
  path: `/test.Echo/${name}`, requestStream, responseStream,
  requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
})
const definition = {
  Unary: method("Unary", false, false),
  Down: method("Down", false, true),
  Up: method("Up", true, false),
  Both: method("Both", true, true),
  Fail: method("Fail", false, false),
  Half: method("Half", false, true),
  Stay: method("Stay", false, false),
  Left: method("Left", false, false),
}

let left = 0

function last(pairs) {
  const metadata = new grpc.Metadata()
  for (const [name, value] of Object.entries(pairs)) metadata.set(name, value)
  return metadata
}

const service = {
  Unary(call, answer) {
    call.sendMetadata(last({ "x-initial": String(call.metadata.get("x-said")[0] || "") }))
    answer(null, call.request, last({ "x-last": "yes", "x-last-bin": Buffer.from([0, 255]) }))
  },
  Down(call) {
    for (let number = 0; number < 3; number += 1) call.write(Buffer.concat([call.request, Buffer.from(String(number))]))
    call.end()
  },
  Up(call, answer) {
    const heard = []
    call.on("data", (message) => heard.push(message))
    call.on("end", () => answer(null, Buffer.concat(heard)))
  },
  Both(call) {
    call.on("data", (message) => call.write(Buffer.from(message.toString().toUpperCase())))
    call.on("end", () => call.end())
  },
  Fail(call, answer) {
    answer({ code: grpc.status.NOT_FOUND, details: "no such thing: é", metadata: last({ "x-why": "because" }) })
  },
  Half(call) {
    call.write(Buffer.from("half"))
    call.emit("error", { code: grpc.status.DATA_LOSS, details: "the rest is lost" })
  },
  Stay(call) { call.on("cancelled", () => { left += 1 }) },
  Left(call, answer) { answer(null, Buffer.from(String(left))) },
}

function serve() {
  const server = new grpc.Server()
  server.addService(definition, service)
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (_, port) => console.log(port))
}

const whole = (stream) => new Promise((done, failed) => {
  const heard = []
  stream.on("data", (message) => heard.push(message.toString()))
  stream.on("end", () => done(heard))
  stream.on("error", (error) => failed(Object.assign(error, { heard })))
})

const ended = (error) => ({ code: error.code, details: error.details, why: (error.metadata.get("x-why")[0] || "").toString(), heard: error.heard })

async function call(port) {
  const Client = grpc.makeGenericClientConstructor(definition, "Echo")
  const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), { "grpc.default_authority": "api.dev.test" })
  const soon = () => ({ deadline: Date.now() + 10_000 })
  const seen = {}
  seen.unary = await new Promise((done, failed) => {
    const told = {}
    const tell = () => told.answer !== undefined && told.last && done(told)
    const made = client.Unary(Buffer.from("hello"), last({ "x-said": "something" }), soon(), (error, answer) => {
      if (error) return failed(error)
      told.answer = answer.toString()
      tell()
    })
    made.on("metadata", (metadata) => { told.initial = metadata.get("x-initial")[0] })
    made.on("status", ({ metadata }) => { told.last = [metadata.get("x-last")[0], [...metadata.get("x-last-bin")[0]]]; tell() })
  })
  seen.down = await whole(client.Down(Buffer.from("n"), soon()))
  seen.up = await new Promise((done, failed) => {
    const stream = client.Up(soon(), (error, answer) => (error ? failed(error) : done(answer.length)))
    for (const size of [1, 0, 300_000]) stream.write(Buffer.alloc(size, "x"))
    stream.end()
  })
  const both = client.Both(soon())
  seen.both = []
  for (const word of ["one", "two"]) {
    both.write(Buffer.from(word))
    seen.both.push(await new Promise((done) => both.once("data", (message) => done(message.toString()))))
  }
  both.end()
  await whole(both)
  seen.fail = await new Promise((done) => client.Fail(Buffer.alloc(0), soon(), (error) => done(ended(error))))
  seen.half = await whole(client.Half(Buffer.alloc(0), soon())).catch(ended)
  seen.late = await new Promise((done) => client.Stay(Buffer.alloc(0), { deadline: Date.now() + 200 }, (error) => done(error.code)))
  seen.cancelled = await new Promise((done) => {
    const made = client.Stay(Buffer.alloc(0), soon(), (error) => done(error.code))
    setTimeout(() => made.cancel(), 100)
  })
  const left = () => new Promise((done) => client.Left(Buffer.alloc(0), soon(), (error, answer) => done(error ? "" : answer.toString())))
  const until = Date.now() + 5_000
  do seen.left = await left()
  while (seen.left !== "2" && Date.now() < until)
  client.close()
  console.log(JSON.stringify(seen))
}

if (process.argv[2] === "serve") serve()
else call(process.argv[3])
