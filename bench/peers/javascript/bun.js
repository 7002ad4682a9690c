// Notifications and chat on Bun's own server and its own publish and subscribe. With DATABASE, messages are stored first.
import { verify } from "./token.js";

const { PORT, DATABASE, CONVERSATIONS, MEMBERS } = process.env;
const store = DATABASE
  ? (await import("./store.js")).open(DATABASE, Number(CONVERSATIONS), Number(MEMBERS))
  : undefined;

let lastId = 0;
const PONG = JSON.stringify({ type: "pong" });

function upgrade(request, server) {
  const { pathname, searchParams } = new URL(request.url);
  const [, ws, kind, id] = pathname.split("/");
  if (ws !== "ws" || (kind !== "chat" && kind !== "notifications")) return new Response("not found", { status: 404 });
  const user = verify(searchParams.get("token"));
  if (user === undefined) return new Response("unauthorized", { status: 401 });
  const conversation = kind === "chat" ? Number(id) : undefined;
  if (conversation && store && !store.isMember(conversation, user)) return new Response("forbidden", { status: 403 });
  if (!server.upgrade(request, { data: { user, conversation } })) return new Response("upgrade", { status: 426 });
}

function say(server, { user, conversation }, message) {
  const created_at = new Date().toISOString();
  const sender_name = `user${user}`;
  const { id, notifications } =
    store?.add(conversation, user, sender_name, message, created_at) ?? { id: ++lastId, notifications: [] };
  server.publish(`chat:${conversation}`, JSON.stringify({
    type: "chat_message", message, sender_id: user, sender_name, is_from_support: false, created_at, message_id: id,
    conversation_id: conversation,
  }));
  for (const { user_id, notification } of notifications) {
    server.publish(`user:${user_id}`, JSON.stringify({ type: "notification", notification }));
  }
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(PORT),
  fetch: upgrade,
  websocket: {
    idleTimeout: 120, // with sendPings, its default, this is the heartbeat
    perMessageDeflate: false,
    open(ws) {
      const { user, conversation } = ws.data;
      if (conversation) {
        ws.subscribe(`chat:${conversation}`);
        ws.send(JSON.stringify({
          type: "connection_established", message: "Connected to chat", conversation_id: conversation }));
      } else {
        ws.subscribe(`user:${user}`);
        ws.send(JSON.stringify({
          type: "connection_established", message: "Connected to notifications", user_id: String(user) }));
      }
    },
    message(ws, text) {
      const { user, conversation } = ws.data;
      const message = JSON.parse(text);
      if (message.type === "ping") {
        ws.send(PONG);
      } else if (message.type === "chat_message" && conversation) {
        say(server, ws.data, message.message);
      } else if (message.type === "typing" && conversation) {
        const { is_typing } = message;
        ws.publish(`chat:${conversation}`, JSON.stringify({ type: "typing", is_typing, user, user_name: `user${user}` }));
      }
    },
  },
});
