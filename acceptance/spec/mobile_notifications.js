// In mobile app
// User ID is automatically extracted from JWT token, no need to specify in path
const jwt_token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."; // JWT token

// Option 1: Token in query string (Recommended)
const wsUrl = `ws://127.0.0.1:9000/ws/notifications/?token=${jwt_token}`;

// Option 2: Token in URL path
const wsUrl = `ws://127.0.0.1:9000/ws/notifications/${jwt_token}`;

// Option 3: Token in URL path with prefix
const wsUrl = `ws://127.0.0.1:9000/ws/notifications/token=${jwt_token}`;

const notificationSocket = new WebSocket(wsUrl);
