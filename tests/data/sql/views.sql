-- Views over sharded tables: what is read is what one server's view gives.
CREATE OR REPLACE VIEW v_plain AS SELECT order_id, user_id u, total*2 AS dbl, status FROM orders WHERE order_id < 100000000;
CREATE OR REPLACE VIEW v_grouped AS SELECT user_id, COUNT(*) c, SUM(total) s, MAX(note) n FROM orders GROUP BY user_id;
CREATE OR REPLACE VIEW v_apart AS SELECT region_id, COUNT(*) c, SUM(total) s FROM shop.orders GROUP BY region_id;
CREATE OR REPLACE VIEW v_union (a, b) AS SELECT order_id, note FROM orders UNION ALL SELECT item_id, title FROM items ORDER BY 1;
CREATE OR REPLACE VIEW v_joined AS SELECT u.level, o.order_id, o.total FROM users u JOIN orders o ON o.user_id = u.user_id ORDER BY o.total DESC, order_id;
CREATE OR REPLACE VIEW v_nested AS SELECT v_plain.order_id, v_plain.dbl FROM v_plain WHERE u > 30;
CREATE OR REPLACE VIEW v_with AS WITH c AS (SELECT user_id, COUNT(*) n FROM orders GROUP BY user_id) SELECT c.*, (SELECT MAX(level) FROM users WHERE users.user_id = c.user_id) m FROM c WHERE n > 1 AND EXISTS (SELECT 1 FROM regions) ORDER BY n DESC, user_id;
CREATE OR REPLACE VIEW v_window AS SELECT DISTINCT status, SUM(total) OVER (PARTITION BY user_id) w FROM orders o LEFT JOIN users USING (user_id) WHERE note LIKE 'a%' OR o.status IN ('new', 'paid');
CREATE OR REPLACE VIEW v_limited AS SELECT order_id, total*2 dbl, CONCAT(status, '-', note) FROM orders WHERE NOT (status = 'new' AND NOT total > 3) ORDER BY dbl DESC, 3, coupon, order_id LIMIT 10;
CREATE OR REPLACE VIEW v_texts AS SELECT *, (SELECT COUNT(*) FROM items) FROM users WHERE name LIKE '%a\\%%' OR name <> 'it''s "x" -- no';
CREATE OR REPLACE VIEW v_mixed AS SELECT o.order_id, c.code, r.name FROM orders o JOIN regions r ON r.region_id = o.region_id LEFT JOIN coupons c ON c.code = o.coupon;
CREATE OR REPLACE VIEW v_single AS SELECT code FROM coupons;
CREATE OR REPLACE ALGORITHM = UNDEFINED VIEW v_check AS SELECT user_id, name FROM users WHERE user_id < 1000;
CREATE VIEW v_plain AS SELECT 1 FROM orders;
CREATE VIEW orders AS SELECT 1 FROM users;
CREATE VIEW v_wrong AS SELECT nothing FROM orders;

SELECT * FROM v_plain;
SELECT *, dbl+1 y FROM v_plain ORDER BY order_id;
SELECT x.u, x.dbl FROM v_plain x WHERE x.u = 5;
SELECT v_plain.*, shop.v_plain.u + 1 FROM shop.v_plain WHERE shop.v_plain.order_id < 20;
SELECT * FROM v_grouped WHERE user_id = 7;
SELECT * FROM v_apart;
SELECT * FROM v_union;
SELECT b, a FROM v_union WHERE a < 10 ORDER BY a, b;
SELECT * FROM v_joined /* order by */;
SELECT * FROM v_joined LIMIT 5 /* order by */;
SELECT order_id, total FROM v_joined WHERE level = 'gold' LIMIT 3 /* order by */;
SELECT COUNT(*), MIN(level) FROM v_joined GROUP BY level;
SELECT * FROM v_nested;
SELECT COUNT(*) FROM v_nested WHERE dbl > 1000;
SELECT user_id, n, m FROM v_with /* order by */;
SELECT * FROM v_window;
SELECT * FROM v_limited /* order by */;
SELECT * FROM v_texts ORDER BY user_id LIMIT 4;
SELECT * FROM v_mixed WHERE order_id < 50;
SELECT * FROM v_single;
SELECT * FROM v_check ORDER BY user_id;
SELECT v_plain.order_id, users.name FROM v_plain JOIN users ON users.user_id = v_plain.u WHERE users.level = 'gold';
SELECT a.u, b.u FROM v_plain a JOIN v_plain b ON a.order_id = b.order_id + 1;
SELECT user_id FROM users WHERE user_id IN (SELECT u FROM v_plain WHERE dbl > 50000);
SELECT (SELECT MAX(dbl) FROM v_plain) m, name FROM users WHERE user_id < 5;
SELECT * FROM v_plain UNION SELECT * FROM v_plain ORDER BY order_id LIMIT 5;
SELECT COUNT(*), u + 0 FROM v_plain GROUP BY u HAVING COUNT(*) > 2;
SELECT SQL_CALC_FOUND_ROWS order_id FROM v_plain ORDER BY order_id LIMIT 2;
SELECT FOUND_ROWS();
SELECT v_plain.order_id, v_grouped.c FROM v_plain LEFT JOIN v_grouped ON v_plain.u = v_grouped.user_id WHERE v_plain.order_id < 10;
WITH w AS (SELECT * FROM v_grouped WHERE c > 1) SELECT w.s, v_plain.u FROM w JOIN v_plain ON w.user_id = v_plain.u;
SET @most = (SELECT MAX(dbl) FROM v_plain);
SELECT @most;
SELECT nothing FROM v_plain;
SHOW COLUMNS FROM v_plain;
SHOW FULL COLUMNS FROM v_grouped;
DESCRIBE v_union;
SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'shop' AND table_name LIKE 'v\_%';
SELECT table_name, check_option, is_updatable, security_type FROM information_schema.views WHERE table_schema = 'shop';
SELECT table_name, column_name, ordinal_position, column_type, is_nullable FROM information_schema.columns WHERE table_schema = 'shop' AND table_name LIKE 'v\_%';

-- refused: write_view
INSERT INTO v_check VALUES (1, 'a');
-- refused: write_view
UPDATE v_check SET name = 'a' WHERE user_id = 1;
-- refused: write_view
DELETE FROM v_check WHERE user_id = 1;
-- refused: write_view
DELETE v_check FROM v_check JOIN users USING (user_id) WHERE users.user_id = 1;
-- refused: view_over_shards
LOCK TABLES v_check READ;

-- A view's columns are those of its making, and a new definition counts at once.
ALTER VIEW v_check AS SELECT user_id, level FROM users WHERE user_id < 5;
SELECT * FROM v_check ORDER BY user_id;
CREATE OR REPLACE VIEW v_check AS SELECT COUNT(*) FROM users;
SELECT * FROM v_check;
CREATE OR REPLACE VIEW v_check AS SELECT code FROM coupons;
SELECT * FROM v_check;
DROP VIEW v_check;
SELECT * FROM v_check;
DROP VIEW v_plain, v_grouped, v_apart, v_union;
DROP VIEW v_joined, v_nested, v_with, v_window;
DROP VIEW v_limited, v_texts, v_mixed, v_single;
DROP VIEW IF EXISTS v_plain, v_nested;
SELECT * FROM v_nested;
-- Wherever a subquery may stand.
CREATE VIEW seen_late AS SELECT user_id FROM users WHERE user_id > 5;
SELECT region_id, SUM(region_id) OVER w FROM regions WINDOW w AS (PARTITION BY (SELECT COUNT(*) FROM seen_late WHERE user_id = region_id)) ORDER BY region_id;
SELECT COUNT(*) OVER (w ORDER BY region_id) AS c FROM regions WINDOW w AS (PARTITION BY EXISTS (SELECT 1 FROM seen_late WHERE user_id = region_id)) ORDER BY c;
SELECT order_id, SUM(total) OVER w FROM orders WINDOW w AS (PARTITION BY region_id ORDER BY order_id) ORDER BY order_id LIMIT 7;
-- refused: statement
SHOW VARIABLES WHERE Variable_name = 'autocommit' AND (SELECT COUNT(*) FROM seen_late) = 195;
DROP VIEW seen_late;
-- The literals of a view are those of the connection that made it, whoever reads it.
SET NAMES utf8mb4;
CREATE VIEW v_named AS SELECT user_id, CASE WHEN user_id % 2 = 0 THEN 'Even' ELSE 'odd' END AS word, CONCAT(user_id, '-X') AS dashed, level FROM users WHERE level IN ('GOLD', 'silver') OR level = 'PLAIN';
SELECT DISTINCT COLLATION(word), COLLATION(dashed) FROM v_named;
SELECT COUNT(*) FROM v_named WHERE word = 'EVEN';
SET NAMES utf8mb4 COLLATE utf8mb4_bin;
SELECT DISTINCT COLLATION(word), COLLATION(dashed) FROM v_named;
SELECT COUNT(*) FROM v_named WHERE word = 'EVEN';
SELECT COUNT(*) FROM v_named GROUP BY word ORDER BY 1;
SELECT COUNT(*), MIN(dashed) FROM v_named WHERE dashed LIKE '1%-x';
CREATE VIEW v_exact AS SELECT user_id, CASE WHEN user_id % 2 = 0 THEN 'Even' ELSE 'odd' END AS word FROM users;
CREATE VIEW v_columns AS SELECT user_id, level FROM users WHERE level IN ('GOLD', 'silver') OR NOT (name = 'X' OR name LIKE 'y%');
SELECT COUNT(*) FROM v_exact WHERE word = 'EVEN';
SELECT DISTINCT COLLATION(word) FROM v_exact;
SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci;
-- refused: view_charset
SELECT COUNT(*) FROM v_exact WHERE word = 'EVEN';
SELECT COUNT(*) FROM v_columns WHERE level = 'gold';
SELECT COUNT(*) FROM v_named WHERE level = 'GOLD';
SELECT DISTINCT COLLATION(word), COLLATION(dashed) FROM v_named;
SET NAMES latin1;
SELECT DISTINCT COLLATION(word), COLLATION(dashed) FROM v_named;
SELECT COUNT(*) FROM v_named GROUP BY word ORDER BY 1;
CREATE VIEW v_latin AS SELECT user_id, CASE WHEN user_id % 2 = 0 THEN 'Even' ELSE 'odd' END AS word FROM users;
SET NAMES utf8mb4 COLLATE utf8mb4_general_ci;
SELECT DISTINCT COLLATION(word) FROM v_latin;
SELECT COUNT(*), MAX(word) FROM v_latin WHERE word = 'EVEN';
-- refused: view_over_shards
CREATE VIEW v_said AS SELECT user_id, _latin1'a' AS word FROM users;
DROP VIEW v_named, v_exact, v_columns, v_latin;
-- A broadcast table has a copy in each group: written through a view, it would change in one.
CREATE VIEW v_copies AS SELECT * FROM regions;
CREATE VIEW v_copies_2 AS SELECT region_id, name FROM v_copies WHERE region_id > 1;
SELECT COUNT(*) FROM v_copies_2;
-- refused: write_view
UPDATE v_copies SET shipping = 999;
-- refused: write_view
DELETE FROM v_copies_2 WHERE region_id = 5;
-- refused: write_view
INSERT INTO v_copies_2 VALUES (900, 'x');
-- refused: write_view
REPLACE INTO v_copies (region_id, name) SELECT region_id + 900, name FROM regions;
-- refused: write_view
UPDATE v_copies v JOIN coupons c ON c.percent = v.region_id SET v.shipping = 1;
-- refused: write_view
LOCK TABLES v_copies WRITE;
SELECT COUNT(*) FROM regions WHERE shipping = 999;
DROP VIEW v_copies_2, v_copies;
