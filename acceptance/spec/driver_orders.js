const token = 'YOUR_JWT_TOKEN';
const ws = new WebSocket(`wss://api.example.com/ws/driver/orders/?token=${token}`);

ws.onmessage = (event) => {
  const data = JSON.parse(event.data);
  switch (data.type) {
    case 'connection_established':
      console.log('Connected');
      break;
    case 'initial_orders':
      setOrdersList(data.orders);  // Avtomatik - hozirgi orderlar
      break;
    case 'new_order':
      addOrderToList(data.order);
      break;
    case 'order_timeout':
      removeOrderFromList(data.order_id);
      break;
  }
};
