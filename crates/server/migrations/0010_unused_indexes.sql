-- No statement uses them: a step of an order, and an accept, need not write their pages.
DROP INDEX holodrive_order_waiting;
DROP INDEX holodrive_conversation_order;
