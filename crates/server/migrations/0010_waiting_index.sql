-- No statement uses it; each order that was made, offered, or accepted wrote one page more for it.
DROP INDEX holodrive_order_waiting;
