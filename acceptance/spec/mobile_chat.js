// In mobile app
const conversation_id = 1;
const jwt_token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."; // JWT token

// Option 1: Token in query string
const wsUrl = `ws://127.0.0.1:9000/ws/chat/${conversation_id}/?token=${jwt_token}`;

// Option 2: Token in URL path
const wsUrl = `ws://127.0.0.1:9000/ws/chat/${conversation_id}/${jwt_token}`;

const chatSocket = new WebSocket(wsUrl);
