-- RETURNING of writes to one shard.
-- only: mariadb
BEGIN;
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900001, 5, 1, 2, '2024-01-01') RETURNING order_id, total * 2 AS twice;
-- only: mariadb
SELECT ROW_COUNT(), LAST_INSERT_ID();
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900002, 5, 1, 2, '2024-01-01'), (900003, 5, 1, 3, '2024-01-02') RETURNING order_id, user_id, note;
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900002, 5, 1, 2, '2024-01-01') RETURNING order_id;
-- only: mariadb
INSERT IGNORE INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900002, 5, 1, 2, '2024-01-01') RETURNING order_id;
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900002, 5, 1, 2, '2024-01-01') ON DUPLICATE KEY UPDATE total = 77 RETURNING order_id, total;
-- only: mariadb
REPLACE INTO orders SET order_id = 900003, user_id = 5, region_id = 1, total = 9, created_at = '2024-01-01' RETURNING orders.order_id, total + 1;
-- only: mariadb
REPLACE INTO orders SET order_id = 900003, user_id = 5, region_id = 1, total = 9, created_at = '2024-01-01' RETURNING `orders`.`order_id`, orders.total + 1, shop.orders.user_id, concat(orders.total, 'x') AS c, length( orders.note );
-- only: mariadb
REPLACE INTO orders SET order_id = 900003, user_id = 5, region_id = 1, total = 9, created_at = '2024-01-01' RETURNING *;
-- only: mariadb
REPLACE INTO orders SET order_id = 900003, user_id = 5, region_id = 1, total = 9, created_at = '2024-01-01' RETURNING orders.*;
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900004, 5, 1, 2, '2024-01-01') RETURNING nosuch;
-- refused: scatter_returning
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900005, 1, 1, 2, '2024-01-01'), (900006, 2, 1, 2, '2024-01-01'), (900007, 13, 1, 2, '2024-01-01') RETURNING order_id;
-- refused: scatter_returning
-- only: mariadb
DELETE FROM orders WHERE order_id = 1 RETURNING order_id;
-- refused: scatter_returning
-- only: mariadb
INSERT INTO regions (region_id, name) VALUES (900, 'x') RETURNING region_id;
-- only: mariadb
DELETE FROM orders WHERE user_id = 5 AND order_id = 900002 RETURNING orders.order_id, note, orders.total * 2;
-- only: mariadb
DELETE FROM orders WHERE user_id = 5 AND order_id = 900002 RETURNING orders.order_id, note, total * 2, orders.total * 2;
-- only: mariadb
SELECT ROW_COUNT();
-- only: mariadb
ROLLBACK;
-- only: mariadb
SELECT COUNT(*) FROM orders WHERE order_id >= 900000;
