-- INSERT … SELECT between any tables, over keys that nothing else uses.
-- From one sharded table into another that is sharded otherwise.
INSERT INTO items (item_id, title, category, price, weight_kg, attributes, picture) SELECT 910000 + user_id, name, 'book', balance, score, COALESCE(profile, '{}'), CAST(email AS BINARY(8)) FROM users WHERE user_id BETWEEN 1 AND 12;
SELECT * FROM items WHERE item_id BETWEEN 910000 AND 910100 ORDER BY item_id;
-- The same rows again: nothing of it stays.
INSERT INTO items (item_id, title, category, price, attributes) SELECT 909990 + user_id, name, 'tea', 1, '{}' FROM users WHERE user_id BETWEEN 1 AND 12 ORDER BY user_id;
SELECT count(*) FROM items WHERE item_id BETWEEN 909000 AND 910100;
INSERT IGNORE INTO items (item_id, title, category, price, attributes) SELECT 909990 + user_id, name, 'tea', 1, '{}' FROM users WHERE user_id BETWEEN 1 AND 12 ORDER BY user_id;
SELECT item_id, category, price FROM items WHERE item_id BETWEEN 909000 AND 910100 ORDER BY item_id;
REPLACE INTO items (item_id, title, category, price, attributes) SELECT 909990 + user_id, upper(name), 'toy', 2.5, '{}' FROM users WHERE user_id BETWEEN 1 AND 14 ORDER BY user_id;
SELECT item_id, title, category, price, picture FROM items WHERE item_id BETWEEN 909000 AND 910100 ORDER BY item_id;
INSERT INTO items (item_id, title, category, price, attributes) SELECT 909998 + user_id, 'again', 'shoes', 7.25, '[1]' FROM users WHERE user_id BETWEEN 1 AND 6 ON DUPLICATE KEY UPDATE price = items.price + VALUES(price), title = CONCAT(title, '+');
SELECT item_id, title, category, price FROM items WHERE item_id BETWEEN 909000 AND 910100 ORDER BY item_id;
-- Nothing to insert.
INSERT INTO items (item_id, title, category, price, attributes) SELECT user_id, name, 'tea', 1, '{}' FROM users WHERE user_id < 0;
-- One row.
INSERT INTO items (item_id, title, category, price, attributes) SELECT 911000 + max(user_id) * 0, 'one', 'lamp', sum(balance) * 0 + 3, '{}' FROM users;
-- Values that the server converts, refuses or warns of.
SET sql_mode = '';
INSERT INTO items (item_id, title, category, price, attributes) SELECT 911001, 'two', 'nosuch', '12.345abc', '{}' FROM users WHERE user_id = 3;
INSERT INTO items (item_id, title, category, price, attributes) SELECT 911001 + user_id, repeat('x', 130), 3, 1e20, '{}' FROM users WHERE user_id BETWEEN 1 AND 3 ORDER BY user_id;
SET sql_mode = 'STRICT_TRANS_TABLES';
INSERT INTO items (item_id, title, category, price, attributes) SELECT 911011 + user_id, if(user_id = 3, repeat('x', 130), 'short'), 'tea', 1, '{}' FROM users WHERE user_id BETWEEN 1 AND 5 ORDER BY user_id;
INSERT INTO items (item_id, title, category, price, attributes) SELECT 911021, NULL, 'tea', 1, '{}' FROM users WHERE user_id = 1;
INSERT INTO items (item_id, title) SELECT 911022, 'x' FROM users WHERE user_id = 1;
SELECT item_id, title, category, price FROM items WHERE item_id BETWEEN 911000 AND 911100 ORDER BY item_id;
SET sql_mode = DEFAULT;
-- The column list left out; a join of tables that don't lie together; a set operation; a group.
INSERT INTO stock SELECT 910500 + o.order_id % 50, sum(i.price * 0 + 1), count(*), '2026-01-01 00:00:00.125' FROM orders o JOIN items i ON i.item_id = o.order_id % 40 GROUP BY o.order_id % 50;
SELECT * FROM stock WHERE item_id BETWEEN 910500 AND 910600 ORDER BY item_id;
INSERT INTO stock (item_id, quantity, counted_at) SELECT 910700 + user_id, 1, registered_at FROM users WHERE user_id < 5 UNION SELECT 910710 + item_id, 2, '2026-01-01' FROM items WHERE item_id < 5;
SELECT * FROM stock WHERE item_id BETWEEN 910700 AND 910800 ORDER BY item_id;
-- From the same table: all is read before any is written.
INSERT INTO stock (item_id, quantity, counted_at) SELECT item_id + 40, quantity + 100, counted_at FROM stock WHERE item_id BETWEEN 910700 AND 910800 ORDER BY item_id;
SELECT * FROM stock WHERE item_id BETWEEN 910700 AND 910900 ORDER BY item_id;
-- Into a single table and out of one, into a broadcast one and out of it.
-- Which ids a server leaves out is its own affair.
CREATE TABLE kept (id INT AUTO_INCREMENT PRIMARY KEY, u BIGINT, n VARCHAR(64), f FLOAT, d DOUBLE, t DATETIME(3), ts TIMESTAMP NULL, j JSON, b VARBINARY(40), UNIQUE KEY (u));
INSERT INTO kept (u, n, f, d, t, ts, j, b) SELECT user_id, name, score, score, registered_at, registered_at, profile, email FROM users WHERE user_id BETWEEN 1 AND 20 ORDER BY user_id;
SELECT LAST_INSERT_ID();
SELECT * FROM kept ORDER BY id;
UPDATE kept SET n = NULL WHERE id = LAST_INSERT_ID();
DELETE FROM kept WHERE u > 12;
INSERT INTO kept (id, u, n) SELECT 100 + user_id, user_id, 'again' FROM users WHERE user_id BETWEEN 9 AND 15 ORDER BY user_id ON DUPLICATE KEY UPDATE n = VALUES(n);
INSERT IGNORE INTO kept (id, u, n) SELECT 200 + user_id, user_id, 'never' FROM users WHERE user_id BETWEEN 8 AND 14 ORDER BY user_id;
SELECT LAST_INSERT_ID();
INSERT INTO kept (id, u, n) SELECT 500 + user_id, 500 + user_id, 'given' FROM users WHERE user_id BETWEEN 1 AND 3 ORDER BY user_id;
SELECT LAST_INSERT_ID();
REPLACE INTO kept (id, u, n, f) SELECT 300 + user_id, user_id, 'new', score / 3 FROM users WHERE user_id BETWEEN 1 AND 3 ORDER BY user_id;
SELECT u, n, f, d, t, ts, j, b FROM kept ORDER BY u;
INSERT INTO stock (item_id, quantity, counted_at) SELECT 912000 + u, id * 0 + 9, COALESCE(t, '2026-02-02') FROM kept WHERE u < 30;
SELECT * FROM stock WHERE item_id BETWEEN 912000 AND 912999 ORDER BY item_id;
INSERT INTO regions (region_id, code, name, shipping) SELECT 9100 + user_id, CONCAT('R', user_id), name, balance % 100 FROM users WHERE user_id BETWEEN 1 AND 5;
SELECT * FROM regions WHERE region_id > 9000 ORDER BY region_id;
INSERT INTO regions (region_id, code, name, shipping) SELECT 9100 + user_id, CONCAT('S', user_id), name, 1 FROM users WHERE user_id BETWEEN 4 AND 7 ORDER BY user_id;
INSERT IGNORE INTO regions (region_id, code, name, shipping) SELECT 9100 + user_id, CONCAT('S', user_id), name, 1 FROM users WHERE user_id BETWEEN 4 AND 7 ORDER BY user_id;
INSERT INTO stock (item_id, quantity, counted_at) SELECT 913000 + region_id, 1, '2026-01-01' FROM regions WHERE region_id > 9000;
SELECT * FROM regions r JOIN stock s ON s.item_id = 913000 + r.region_id ORDER BY region_id;
-- Values that are computed.
INSERT INTO stock (item_id, quantity, counted_at) VALUES (914000 + ABS(-1), 1, '2026-01-01');
INSERT INTO stock (item_id, quantity, counted_at) VALUES (914000 + ABS(-2), 1, '2026-01-01'), ((SELECT max(item_id) + 1 FROM stock WHERE item_id < 914500), 2, '2026-01-01');
SELECT * FROM stock WHERE item_id BETWEEN 914000 AND 914999 ORDER BY item_id;
-- In a transaction: what it has done is seen, an error undoes the statement alone.
BEGIN;
INSERT INTO stock (item_id, quantity, counted_at) VALUES (915000, 1, '2026-01-01'), (915001, 2, '2026-01-01');
INSERT INTO stock (item_id, quantity, counted_at) SELECT item_id + 10, quantity, counted_at FROM stock WHERE item_id BETWEEN 915000 AND 915009;
INSERT INTO stock (item_id, quantity, counted_at) SELECT item_id + 1, quantity, counted_at FROM stock WHERE item_id BETWEEN 915000 AND 915009 ORDER BY item_id DESC;
SELECT * FROM stock WHERE item_id BETWEEN 915000 AND 915999 ORDER BY item_id;
INSERT INTO kept (u, n) SELECT item_id, 'moved' FROM stock WHERE item_id BETWEEN 915000 AND 915999;
ROLLBACK;
SELECT count(*) FROM stock WHERE item_id BETWEEN 915000 AND 915999;
SELECT count(*) FROM kept WHERE n = 'moved';
SET autocommit = 0;
INSERT INTO stock (item_id, quantity, counted_at) SELECT 916000 + user_id, 1, '2026-01-01' FROM users WHERE user_id < 9;
ROLLBACK;
INSERT INTO stock (item_id, quantity, counted_at) SELECT 916100 + user_id, 1, '2026-01-01' FROM users WHERE user_id < 9;
COMMIT;
SET autocommit = 1;
SELECT * FROM stock WHERE item_id BETWEEN 916000 AND 916999 ORDER BY item_id;
START TRANSACTION READ ONLY;
INSERT INTO stock (item_id, quantity, counted_at) SELECT 917000 + user_id, 1, '2026-01-01' FROM users WHERE user_id < 9;
COMMIT;
DROP TABLE kept;
DELETE FROM regions WHERE region_id > 9000;
DELETE FROM stock WHERE item_id > 909000;
DELETE FROM items WHERE item_id > 909000;
SELECT count(*) FROM stock;
-- UPDATE and DELETE whose rows meet rows of other places, or are counted over all of them.
INSERT INTO stock (item_id, quantity, counted_at) SELECT 920000 + item_id, item_id, '2026-01-01' FROM items WHERE item_id <= 40;
UPDATE stock SET quantity = quantity + 1000 WHERE item_id > 920000 ORDER BY item_id DESC LIMIT 5;
UPDATE stock SET reserved = 7 WHERE item_id > 920000 ORDER BY quantity, item_id LIMIT 3;
UPDATE stock SET reserved = 7 WHERE item_id > 920000 ORDER BY quantity, item_id LIMIT 4;
SELECT * FROM stock WHERE item_id > 920000 ORDER BY item_id;
DELETE FROM stock WHERE item_id > 920000 ORDER BY quantity DESC, item_id LIMIT 4;
DELETE FROM stock WHERE item_id > 920000 AND quantity = 3 LIMIT 1;
SELECT * FROM stock WHERE item_id > 920000 ORDER BY item_id;
UPDATE stock s JOIN users u ON u.user_id = s.item_id - 920000 SET s.quantity = s.quantity + u.region_id, s.counted_at = u.registered_at WHERE u.level = 'gold' AND s.item_id > 920000;
UPDATE stock s JOIN users u ON u.user_id = s.item_id - 920000 SET s.quantity = s.quantity, s.reserved = 1 WHERE u.level <> 'gold' AND s.item_id > 920000;
UPDATE stock SET reserved = (SELECT count(*) FROM orders WHERE orders.user_id = stock.item_id - 920000) WHERE item_id > 920000;
UPDATE stock SET quantity = 5 WHERE item_id > 920000 AND item_id - 920000 IN (SELECT user_id FROM orders WHERE status = 'paid');
SELECT * FROM stock WHERE item_id > 920000 ORDER BY item_id;
DELETE FROM stock WHERE item_id > 920000 AND item_id - 920000 IN (SELECT user_id FROM orders WHERE status = 'cancelled');
DELETE s FROM stock s JOIN users u ON u.user_id = s.item_id - 920000 WHERE u.level = 'silver' AND s.item_id > 920000;
DELETE FROM stock WHERE stock.item_id > 920000 AND EXISTS (SELECT 1 FROM users u WHERE u.user_id = stock.item_id - 920000 AND u.level = 'diamond');
SELECT * FROM stock WHERE item_id > 920000 ORDER BY item_id;
-- Nothing matches.
UPDATE stock s JOIN users u ON u.user_id = s.item_id SET s.quantity = 0 WHERE s.item_id > 920000;
DELETE FROM stock WHERE item_id > 990000 LIMIT 3;
-- Rows move to other shards.
INSERT INTO users (user_id, name, email, region_id, registered_at) SELECT 930000 + user_id, name, email, region_id, registered_at FROM users WHERE user_id <= 20;
UPDATE users SET user_id = 930100 WHERE user_id = 930001;
UPDATE users SET user_id = user_id + 1000 WHERE user_id BETWEEN 930002 AND 930012;
UPDATE users SET user_id = 930100 WHERE user_id = 930015;
UPDATE IGNORE users SET user_id = 930100 WHERE user_id = 930015;
UPDATE users SET user_id = user_id + 1 WHERE user_id BETWEEN 931002 AND 931012 ORDER BY user_id DESC;
UPDATE users SET user_id = user_id + 1 WHERE user_id BETWEEN 931003 AND 931013 ORDER BY user_id;
UPDATE IGNORE users SET user_id = user_id + 2, name = 'ignored' WHERE user_id BETWEEN 930013 AND 930019 ORDER BY user_id;
SELECT user_id, name, email FROM users WHERE user_id > 930000 ORDER BY user_id;
UPDATE users u JOIN items i ON i.item_id = u.user_id - 931000 SET u.user_id = 932000 + i.item_id, u.name = i.title WHERE u.user_id > 930000;
SELECT user_id, name, email FROM users WHERE user_id > 930000 ORDER BY user_id;
UPDATE users SET user_id = 5 WHERE user_id = 999999999;
-- Several tables at once.
INSERT INTO orders (order_id, user_id, region_id, total, created_at) SELECT 940000 + user_id, user_id, region_id, 1, '2026-01-01' FROM users WHERE user_id > 930000 ORDER BY user_id;
INSERT INTO items (item_id, title, category, price, attributes) SELECT 940000 + user_id - 930000, name, 'tea', 1, '{}' FROM users WHERE user_id > 930000;
UPDATE users u JOIN items i ON i.item_id = u.user_id + 10000 SET u.name = i.category, i.title = CONCAT(u.email, '!'), i.price = i.price + 1 WHERE u.user_id > 930000 AND i.item_id % 3 <> 0;
SELECT user_id, name FROM users WHERE user_id > 930000 ORDER BY user_id;
SELECT item_id, title, price FROM items WHERE item_id > 930000 ORDER BY item_id;
DELETE u, i FROM users u JOIN items i ON i.item_id = u.user_id + 10000 WHERE u.user_id > 930000 AND i.item_id % 2 = 0;
DELETE FROM o USING orders o LEFT JOIN items i ON i.item_id = o.order_id - 930000 WHERE o.order_id > 940000 AND o.order_id < 2000000 AND i.item_id IS NULL;
SELECT user_id, name FROM users WHERE user_id > 930000 ORDER BY user_id;
SELECT item_id, title, price FROM items WHERE item_id > 930000 ORDER BY item_id;
SELECT order_id, user_id FROM orders WHERE order_id BETWEEN 930000 AND 2000000 ORDER BY order_id;
-- Broadcast and single tables.
INSERT INTO regions (region_id, code, name, shipping) SELECT 9200 + user_id, CONCAT('T', user_id), name, 1 FROM users WHERE user_id <= 6;
UPDATE regions r JOIN users u ON u.user_id = r.region_id - 9200 SET r.name = u.email, r.shipping = u.balance % 10;
UPDATE regions SET shipping = shipping + 1 WHERE region_id > 9200 ORDER BY region_id LIMIT 2;
UPDATE regions SET code = CONCAT('U', region_id) WHERE region_id > 9200 ORDER BY region_id LIMIT 2;
UPDATE regions SET code = 'T5' WHERE region_id = 9206 LIMIT 1;
SELECT * FROM regions WHERE region_id > 9200 ORDER BY region_id;
SELECT r.* FROM regions r JOIN stock s ON s.item_id = 920000 + r.region_id - 9200 ORDER BY region_id;
DELETE FROM regions WHERE region_id > 9200 AND region_id - 9200 IN (SELECT user_id FROM users WHERE user_id % 2 = 0);
DELETE r FROM regions r JOIN users u ON u.user_id = r.region_id - 9200;
SELECT count(*) FROM regions WHERE region_id > 9200;
INSERT INTO coupons SELECT CONCAT('C', user_id), 5, user_id, registered_at FROM users WHERE user_id <= 9;
UPDATE coupons c JOIN users u ON c.code = CONCAT('C', u.user_id) SET c.percent = 9, u.balance = u.balance WHERE u.user_id < 5;
DELETE c FROM coupons c JOIN users u ON c.code = CONCAT('C', u.user_id) WHERE u.user_id > 6;
SELECT * FROM coupons WHERE code LIKE 'C_' ORDER BY code;
DELETE FROM coupons WHERE code LIKE 'C_' AND uses_left IN (SELECT user_id FROM users);
-- Errors in the middle, and what a transaction keeps.
BEGIN;
UPDATE stock SET quantity = 1 WHERE item_id = 920001;
UPDATE stock SET quantity = quantity - item_id + 920010 WHERE item_id > 920000 ORDER BY item_id LIMIT 50;
UPDATE stock SET quantity = 2 WHERE item_id > 920000 ORDER BY item_id LIMIT 2;
DELETE FROM stock WHERE item_id > 920000 ORDER BY item_id DESC LIMIT 2;
SELECT * FROM stock WHERE item_id > 920000 ORDER BY item_id;
ROLLBACK;
SELECT * FROM stock WHERE item_id > 920000 ORDER BY item_id;
UPDATE stock SET nosuch = 1 WHERE item_id > 920000 LIMIT 2;
UPDATE stock s, users u SET s.quantity = 1 WHERE nosuch = 3 AND s.item_id = u.region_id;
UPDATE IGNORE stock SET quantity = -5, counted_at = 'never' WHERE item_id > 920000 ORDER BY item_id LIMIT 2;
SELECT * FROM stock WHERE item_id > 920000 ORDER BY item_id LIMIT 4;
DELETE FROM orders WHERE order_id BETWEEN 930000 AND 2000000;
DELETE FROM users WHERE user_id > 900000 AND user_id < 1000000;
DELETE FROM stock WHERE item_id > 909000;
DELETE FROM items WHERE item_id > 909000;
SELECT count(*) FROM users;
SELECT count(*), sum(quantity), sum(reserved) FROM stock;
-- A foreign key would see rows that move being removed.
CREATE TABLE used (id INT PRIMARY KEY, code VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, FOREIGN KEY (code) REFERENCES coupons (code) ON DELETE CASCADE);
INSERT INTO coupons VALUES ('MOVED', 5, 1, '2027-01-01');
INSERT INTO used VALUES (1, 'MOVED');
-- refused: write_referenced
UPDATE coupons c JOIN users u ON u.user_id = c.uses_left AND c.code = 'MOVED' SET c.code = 'GONE';
UPDATE coupons c JOIN users u ON u.user_id = c.uses_left AND c.code = 'MOVED' SET c.percent = 6;
SELECT u.id, c.* FROM used u JOIN coupons c ON c.code = u.code;
DELETE c FROM coupons c JOIN users u ON u.user_id = c.uses_left AND c.code = 'MOVED';
SELECT count(*) FROM used;
DROP TABLE used;
-- The table that is changed is read again.
INSERT INTO stock (item_id, quantity, counted_at) SELECT 960000 + item_id, item_id, '2026-01-01' FROM items WHERE item_id <= 20;
UPDATE stock SET reserved = 1 WHERE item_id > 960000 AND quantity IN (SELECT quantity FROM (SELECT quantity FROM stock WHERE item_id > 960010) x);
UPDATE stock SET reserved = 2 WHERE item_id > 960000 AND quantity > (SELECT avg(q) FROM (SELECT quantity AS q FROM stock WHERE item_id > 960000 GROUP BY quantity) x);
UPDATE stock a JOIN stock b ON b.item_id = a.item_id + 1 SET a.quantity = b.quantity * 2 WHERE a.item_id > 960000;
UPDATE stock a JOIN (SELECT max(quantity) AS q FROM stock WHERE item_id > 960000) m SET a.reserved = m.q WHERE a.item_id > 960005;
SELECT * FROM stock WHERE item_id > 960000 ORDER BY item_id;
DELETE a FROM stock a JOIN stock b ON b.item_id = a.item_id + 3 WHERE a.item_id > 960000 AND b.quantity > 20;
UPDATE stock SET reserved = 9 WHERE item_id > 960000 AND item_id IN (SELECT item_id + 1 FROM stock WHERE item_id > 960000);
SELECT * FROM stock WHERE item_id > 960000 ORDER BY item_id;
DELETE FROM stock WHERE item_id > 960000;
-- Rows that are all there already name no id; the first new one does.
CREATE TABLE tallied (id INT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(16), n INT NOT NULL, UNIQUE KEY (s));
INSERT INTO tallied (s, n) SELECT CONCAT('s', user_id), 1 FROM users WHERE user_id BETWEEN 1 AND 3 ORDER BY user_id;
SELECT LAST_INSERT_ID();
INSERT INTO tallied (s, n) SELECT CONCAT('s', user_id), 1 FROM users WHERE user_id BETWEEN 2 AND 3 ORDER BY user_id ON DUPLICATE KEY UPDATE n = n + 1;
SELECT LAST_INSERT_ID();
INSERT INTO tallied (s, n) SELECT CONCAT('s', user_id), 1 FROM users WHERE user_id = 3 ON DUPLICATE KEY UPDATE n = n + 1;
SELECT LAST_INSERT_ID();
SELECT s, n FROM tallied ORDER BY id;
DROP TABLE tallied;
-- What a table's own triggers and generated columns compute sees the session's time zone.
SET time_zone = '+05:00';
SET timestamp = 1700000000;
CREATE TABLE clocked (id INT PRIMARY KEY, ts TIMESTAMP(3) NULL, d DATETIME, h INT AS (hour(ts)) STORED, made TIMESTAMP NOT NULL DEFAULT '2024-01-01 00:00:00');
CREATE TABLE clocked_log (n INT AUTO_INCREMENT PRIMARY KEY, d DATETIME, ts TIMESTAMP NULL);
CREATE TRIGGER clocked_in BEFORE INSERT ON clocked FOR EACH ROW SET NEW.d = NOW();
CREATE TRIGGER clocked_out AFTER DELETE ON clocked FOR EACH ROW INSERT INTO clocked_log (d, ts) VALUES (NOW(), OLD.ts);
INSERT INTO clocked (id, ts) SELECT user_id, DATE_ADD('2026-01-01 01:02:03.125', INTERVAL user_id HOUR) FROM users WHERE user_id BETWEEN 1 AND 6;
SELECT * FROM clocked ORDER BY id;
SET time_zone = DEFAULT;
REPLACE INTO clocked (id, ts) SELECT user_id, DATE_ADD('2026-03-29 00:02:03.5', INTERVAL user_id HOUR) FROM users WHERE user_id BETWEEN 5 AND 9 ORDER BY user_id;
SELECT * FROM clocked ORDER BY id;
SET time_zone = '-07:00';
DELETE c FROM clocked c JOIN users u ON u.user_id = c.id WHERE u.user_id < 8;
SELECT * FROM clocked ORDER BY id;
SELECT d, ts FROM clocked_log ORDER BY n;
DROP TABLE clocked, clocked_log;
SET time_zone = DEFAULT;
SET timestamp = DEFAULT;
-- The first rows are those of the whole condition: a part of it that is asked of the shards is no reason to take
-- their first ones.
UPDATE orders SET note = 'first' WHERE (user_id > 0 AND LENGTH(note) = 99) OR region_id = 3 ORDER BY order_id LIMIT 3;
SELECT order_id, note FROM orders WHERE note = 'first' ORDER BY order_id;
UPDATE orders SET note = NULL WHERE (total > 100 AND note LIKE 'zz%') OR region_id = 7 ORDER BY order_id LIMIT 2;

-- Rows of several shapes behind VALUES ROW, and rows that have an alias
BEGIN;
-- only: mysql
INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES ROW(950001, 'a', 'x', 1, '2026-01-01'), ROW(950002, 'b', 'x', 1, '2026-01-01'), ROW(950003, UPPER('c'), 'x', 1, DATE '2026-01-01'), ROW(950004, 'd', 'x', 1 + 1, '2026-01-01');
SELECT user_id, name, region_id FROM users WHERE user_id BETWEEN 950000 AND 950009 ORDER BY user_id;
-- only: mysql
INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES (950001, 'n', 'x', 1, '2026-01-01'), (950005, 'e', 'x', 1, '2026-01-01') AS n ON DUPLICATE KEY UPDATE name = CONCAT(n.name, users.name);
-- only: mysql
-- refused: insert_select
INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES (ABS(950001), 'n', 'x', 1, '2026-01-01') AS n ON DUPLICATE KEY UPDATE name = n.name;
SELECT user_id, name FROM users WHERE user_id BETWEEN 950000 AND 950009 ORDER BY user_id;
ROLLBACK;
