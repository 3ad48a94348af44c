-- DO, and MySQL's TABLE, which MariaDB doesn't know.
DO (SELECT COUNT(*) FROM users), 1;
DO (SELECT user_id FROM users);
DO (SELECT nothing FROM users);
DO (SELECT user_id FROM users WHERE user_id = 5);
-- only: mysql
TABLE regions ORDER BY region_id LIMIT 3;
-- only: mysql
TABLE users ORDER BY user_id LIMIT 2 OFFSET 3;
-- only: mysql
(TABLE coupons) UNION ALL TABLE coupons;
-- only: mysql
TABLE nothing_there;
-- MySQL gives a statement the order of its only derived table.
-- only: mysql
SELECT * FROM (SELECT user_id, name FROM users WHERE user_id < 60 ORDER BY name DESC, user_id) d;
-- only: mysql
SELECT d.name FROM (SELECT user_id, name FROM users ORDER BY name, user_id) d WHERE user_id < 60 LIMIT 7;
-- only: mysql
SELECT COUNT(*) FROM (SELECT user_id, name FROM users ORDER BY name, user_id) d;
-- refused: scatter_join
SELECT (SELECT COUNT(*) FROM users u JOIN items i ON i.item_id = u.user_id FOR UPDATE) AS c;
-- TABLE inside of other statements.
CREATE TABLE copied (user_id BIGINT, name VARCHAR(120), more INT);
INSERT INTO copied (user_id, name) SELECT region_id, code FROM regions;
CREATE TABLE picked (user_id BIGINT);
INSERT INTO picked VALUES (2), (5), (8);
-- only: mysql
SELECT user_id, user_id IN (TABLE picked) AS is_in FROM users WHERE user_id < 9 ORDER BY user_id;
-- only: mysql
SELECT count(*) FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.user_id IN (TABLE picked);
-- only: mysql
WITH c AS (TABLE users) SELECT count(*), max(user_id) FROM c;
-- only: mysql
SELECT user_id, region_id, total, 'x' FROM orders WHERE user_id < 4 UNION SELECT *, 1, 'y', 'z' FROM picked UNION ALL (SELECT 1, 2, 3, 4) ORDER BY 1, 2, 3, 4;
-- only: mysql
SELECT user_id FROM users WHERE user_id < 4 UNION TABLE picked ORDER BY 1;
-- only: mysql
INSERT INTO picked TABLE picked;
-- only: mysql
INSERT INTO copied (user_id, name, more) SELECT * FROM (TABLE stock ORDER BY item_id LIMIT 3) d JOIN (SELECT 1) e;
-- only: mysql
CREATE TABLE stocked (item_id BIGINT, quantity INT, reserved INT, counted_at DATETIME(3));
-- only: mysql
INSERT INTO stocked TABLE stock;
-- only: mysql
SELECT count(*), sum(quantity), max(counted_at) FROM stocked;
-- only: mysql
REPLACE INTO stocked (item_id, quantity, reserved, counted_at) TABLE stock;
-- only: mysql
SELECT count(*) FROM stocked WHERE (item_id, quantity, reserved, counted_at) IN (TABLE stock);
-- only: mysql
DROP TABLE stocked;
DROP TABLE copied, picked;
