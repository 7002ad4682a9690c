// Notifications and chat on Node with ws. Nothing is stored.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { verify } from "./token.js";

const HEARTBEAT_MS = 25_000;
const PONG = JSON.stringify({ type: "pong" });
const rooms = new Map();
let lastId = 0;

const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 65_536 });
const server = createServer((request, response) => response.writeHead(426).end());

server.on("upgrade", (request, socket, head) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  const [, ws, kind, id] = pathname.split("/");
  const user = verify(searchParams.get("token"));
  if (ws !== "ws" || (kind !== "chat" && kind !== "notifications") || user === undefined) {
    socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
    return;
  }
  sockets.handleUpgrade(request, socket, head, (connection) => {
    open(connection, user, kind === "chat" ? Number(id) : undefined);
  });
});

function open(connection, user, conversation) {
  const name = conversation ? `chat:${conversation}` : `user:${user}`;
  const room = rooms.get(name) ?? rooms.set(name, new Set()).get(name);
  room.add(connection);
  connection.alive = true;
  connection.on("pong", () => (connection.alive = true));
  connection.on("close", () => {
    room.delete(connection);
    if (room.size === 0) rooms.delete(name);
  });
  connection.on("message", (text) => receive(connection, room, user, conversation, JSON.parse(text)));
  connection.send(JSON.stringify(conversation
    ? { type: "connection_established", message: "Connected to chat", conversation_id: conversation }
    : { type: "connection_established", message: "Connected to notifications", user_id: String(user) }));
}

function receive(connection, room, user, conversation, message) {
  if (message.type === "ping") {
    connection.send(PONG);
  } else if (message.type === "chat_message" && conversation) {
    publish(room, {
      type: "chat_message", message: message.message, sender_id: user, sender_name: `user${user}`, is_from_support: false,
      created_at: new Date().toISOString(), message_id: ++lastId, conversation_id: conversation,
    });
  } else if (message.type === "typing" && conversation) {
    publish(room, { type: "typing", is_typing: message.is_typing, user, user_name: `user${user}` }, connection);
  }
}

function publish(room, message, except) {
  // One buffer for all members, made once.
  const text = Buffer.from(JSON.stringify(message));
  for (const member of room) if (member !== except) member.send(text, { binary: false });
}

setInterval(() => {
  for (const connection of sockets.clients) {
    if (!connection.alive) connection.terminate();
    connection.alive = false;
    connection.ping();
  }
}, HEARTBEAT_MS);

server.listen(Number(process.env.PORT), "127.0.0.1");
