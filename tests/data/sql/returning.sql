-- RETURNING of writes, to one shard and to several.
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
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900005, 1, 1, 2, '2024-01-01'), (900006, 2, 1, 2, '2024-01-01'), (900007, 13, 1, 2, '2024-01-01') RETURNING order_id;
-- only: mariadb
SELECT ROW_COUNT(), LAST_INSERT_ID();
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900008, 1, 1, 2, '2024-01-01'), (900009, 2, 1, 2, '2024-01-01'), (900007, 13, 1, 2, '2024-01-01') RETURNING order_id;
-- only: mariadb
SELECT COUNT(*) FROM orders WHERE order_id >= 900005;
-- only: mariadb
INSERT IGNORE INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900008, 1, 1, 2, '2024-01-01'), (900006, 2, 1, 2, '2024-01-01'), (900007, 13, 1, 2, '2024-01-01'), (900017, 13, 1, 2, '2024-01-01') RETURNING order_id, note, total * 2 twice;
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900008, 1, 1, 2, '2024-01-01'), (900026, 2, 1, 2, '2024-01-01'), (900007, 13, 1, 2, '2024-01-01') ON DUPLICATE KEY UPDATE total = 77 RETURNING order_id, total, orders.*;
-- only: mariadb
REPLACE INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900008, 1, 1, 3, '2024-01-01'), (900036, 2, 1, 2, '2024-01-01'), (900007, 13, 1, 2, '2024-01-01') RETURNING orders.order_id, orders.total;
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900108, 1, 1, 2, '2024-01-01'), (900109, 2, 1, 2, '2024-01-01') RETURNING nosuch;
-- only: mariadb
DELETE FROM orders WHERE order_id BETWEEN 900008 AND 900026 RETURNING order_id, user_id;
-- only: mariadb
SELECT ROW_COUNT();
-- only: mariadb
DELETE FROM orders WHERE order_id = 1 RETURNING order_id;
-- only: mariadb
DELETE FROM orders WHERE order_id = 0 RETURNING order_id, note;
-- only: mariadb
INSERT INTO regions (region_id, name) VALUES (900, 'x'), (901, 'y') RETURNING region_id, name;
-- only: mariadb
REPLACE INTO regions (region_id, name) VALUES (901, 'z') RETURNING region_id, name, regions.name;
-- only: mariadb
DELETE FROM regions WHERE region_id >= 900 RETURNING *;
-- only: mariadb
SELECT COUNT(*) FROM regions;
-- only: mariadb
PREPARE many FROM 'INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (?, 1, 1, 2, ?), (?, 2, 1, 2, ?) RETURNING order_id, created_at, total';
-- only: mariadb
SET @a = 900201, @b = 900202, @at = '2024-01-02';
-- only: mariadb
EXECUTE many USING @a, @at, @b, @at;
-- only: mariadb
DEALLOCATE PREPARE many;
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
-- only: mariadb
CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, v INT);
-- only: mariadb
INSERT INTO counted (v) VALUES (1), (2) RETURNING id;
-- only: mariadb
SELECT LAST_INSERT_ID(), ROW_COUNT();
-- only: mariadb
INSERT INTO counted (v) VALUES (1), (2), (3);
-- only: mariadb
INSERT INTO counted (v) VALUES (1), (2) RETURNING id;
-- only: mariadb
SELECT LAST_INSERT_ID(), ROW_COUNT();
-- only: mariadb
SELECT user_id FROM users WHERE user_id < 4;
-- only: mariadb
REPLACE INTO counted (id, v) VALUES (1, 5), (50, 3) RETURNING *;
-- only: mariadb
SELECT LAST_INSERT_ID(), FOUND_ROWS();
-- only: mariadb
INSERT INTO counted (id, v) VALUES (1, 5), (51, 3) ON DUPLICATE KEY UPDATE v = 8 RETURNING *;
-- only: mariadb
SELECT LAST_INSERT_ID(), ROW_COUNT();
-- only: mariadb
INSERT IGNORE INTO counted (id, v) VALUES (1, 5), (52, 3) RETURNING *;
-- only: mariadb
SHOW WARNINGS;
-- only: mariadb
DELETE FROM counted WHERE id > 40 RETURNING id;
-- only: mariadb
SELECT LAST_INSERT_ID(), ROW_COUNT();
-- only: mariadb
DROP TABLE counted;
-- only: mariadb
BEGIN;
-- refused: scatter_returning
-- only: mariadb
INSERT INTO orders (user_id, region_id, total, created_at) VALUES (1, 1, 2, '2024-01-01') ON DUPLICATE KEY UPDATE total = 77 RETURNING user_id;
-- only: mariadb
ROLLBACK;
-- only: mariadb
DELETE FROM users WHERE 1 = 0 RETURNING *;
-- only: mariadb
SELECT ROW_COUNT();
-- only: mariadb
DELETE FROM orders WHERE order_id < 0 AND user_id IN (1, 2, 13) RETURNING order_id;
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900401, 1, 1, 2, '2024-01-01'), (900402, 2, 1, 2, '2024-01-01') RETURNING 9223372036854775807 + order_id;
-- only: mariadb
SELECT COUNT(*) FROM orders WHERE order_id > 900400;
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900401, 1, 1, 2, '2024-01-01'), (900402, 2, 1, 2, '2024-01-01') RETURNING order_id / 0;
-- only: mariadb
SELECT COUNT(*) FROM orders WHERE order_id > 900400;
-- only: mariadb
REPLACE INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900401, 1, 1, 2, '2024-01-01'), (900402, 2, 1, 2, '2024-01-01'), (900413, 13, 1, 2, '2024-01-01') RETURNING EXP(order_id);
-- only: mariadb
SELECT COUNT(*) FROM orders WHERE order_id > 900400;
-- refused: scatter_returning
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900401, 1, 1, 2, '2024-01-01'), (900402, 2, 1, 2, '2024-01-01') RETURNING LAST_INSERT_ID(order_id);
-- refused: scatter_function
-- only: mariadb
INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES (900401, 1, 1, 2, '2024-01-01'), (900402, 2, 1, 2, '2024-01-01') RETURNING RAND(3);
