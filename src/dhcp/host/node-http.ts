// Node's HTTP without fetch and WebSocket: an `import` of node:http evaluates them as well, which costs every engine
// 10 MiB and a tenth of a second.

const { createServer, request } = process.getBuiltinModule("node:http");

export { createServer, request };
