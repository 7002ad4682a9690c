// In Django admin (base_site.html)
// User is automatically extracted from Django session
const protocol = window.location.protocol === 'https:' ? 'wss:' : 'ws:';
const websocketHost = window.websocketUrl || window.location.host;
const wsUrl = `${protocol}//${websocketHost}/ws/notifications/`;

const notificationSocket = new WebSocket(wsUrl);
