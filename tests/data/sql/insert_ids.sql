-- AUTO_INCREMENT columns that the statement gives a value itself, over keys that nothing else uses.
INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES ('910001', 'Ada', 'a@x', 1, '2026-01-01'), (910018.4, 'Bob', 'b@x', 1, '2026-01-01'), (9.10035e5, 'Cy', 'c@x', 1, '2026-01-01');
SELECT user_id, name FROM users WHERE user_id BETWEEN 910000 AND 910999 ORDER BY user_id;
SELECT LAST_INSERT_ID(910018);
SELECT user_id, name FROM users WHERE user_id = LAST_INSERT_ID();
UPDATE users SET balance = 3 WHERE user_id = LAST_INSERT_ID();
INSERT INTO orders (order_id, region_id, total, user_id, status, created_at) VALUES (910001, 1, 5, LAST_INSERT_ID(), 'paid', '2026-01-01');
SELECT o.order_id, u.name FROM orders o JOIN users u ON u.user_id = o.user_id WHERE o.user_id = LAST_INSERT_ID() ORDER BY 1;
INSERT INTO orders (order_id, user_id, status, created_at, region_id, total) SELECT order_id + 1, user_id, status, created_at, 1, 5 FROM orders WHERE user_id = 910018;
INSERT INTO orders (order_id, user_id, status, created_at, region_id, total) SELECT 910007, user_id, 'sent', registered_at, 1, 5 FROM users WHERE user_id = 910018;
SELECT order_id, status FROM orders WHERE user_id = 910018 ORDER BY order_id;
-- Rows of a SELECT get ids of the sequence; which ones is compared nowhere.
INSERT INTO stock (item_id, quantity, counted_at) SELECT 910000 + count(*), 1, '2026-01-01' FROM orders WHERE user_id = 910018;
REPLACE INTO orders (order_id, user_id, status, created_at, region_id, total) SELECT 910003 + 0 * order_id, user_id, status, created_at, 2, 5 FROM orders WHERE order_id = 910002;
SELECT count(*), max(region_id) FROM orders WHERE user_id = 910018;
DELETE FROM stock WHERE item_id > 910000;
DELETE FROM orders WHERE order_id = 910003;
-- refused: sequence_value
INSERT INTO orders (order_id, region_id, total, user_id, status, created_at) VALUES (@nobody, 1, 5, 910018, 'new', '2026-01-01');
SET sql_mode = 'STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO';
INSERT INTO orders (order_id, region_id, total, user_id, status, created_at) VALUES (0, 1, 5, 910018, 'new', '2026-01-01');
SELECT order_id FROM orders WHERE user_id = 910018 ORDER BY order_id;
DELETE FROM orders WHERE user_id = 910018;
DELETE FROM users WHERE user_id IN (910001, 910018, 910035);
SELECT count(*) FROM users WHERE user_id BETWEEN 910000 AND 910999;
SET sql_mode = DEFAULT;
