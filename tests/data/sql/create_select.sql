-- CREATE TABLE … SELECT of rows that lie in several shards.
CREATE TABLE made_1 AS SELECT * FROM users WHERE user_id < 40;
SELECT * FROM made_1 ORDER BY user_id;
SHOW COLUMNS FROM made_1;
SELECT column_name, column_type, is_nullable, column_default, collation_name FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = 'made_1' ORDER BY ordinal_position;
CREATE TABLE made_1 AS SELECT * FROM users;
CREATE TABLE IF NOT EXISTS made_1 AS SELECT * FROM users;
SHOW WARNINGS;
SELECT COUNT(*) FROM made_1;
CREATE TABLE made_2 (id BIGINT NOT NULL PRIMARY KEY, more INT DEFAULT 7, KEY (name)) ENGINE=InnoDB COMMENT='made' SELECT user_id AS id, name, CONCAT(level, '-') AS dashed, balance / 3 AS third, COUNT(*) AS c, SUM(total) AS s, AVG(score) AS a FROM users JOIN orders USING (user_id) GROUP BY user_id, name, level, balance;
SELECT ROW_COUNT();
SELECT * FROM made_2 ORDER BY id;
SHOW COLUMNS FROM made_2;
SHOW INDEX FROM made_2 WHERE Seq_in_index = 1 AND Cardinality < 0;
-- Keys that rows have in common.
CREATE TABLE made_3 (level VARCHAR(20) NOT NULL PRIMARY KEY) SELECT 'same' AS level, user_id FROM users;
SELECT * FROM made_3;
CREATE TABLE made_3 (region_id INT NOT NULL PRIMARY KEY, c INT) IGNORE SELECT region_id, COUNT(*) AS c FROM users GROUP BY region_id;
SELECT * FROM made_3 ORDER BY region_id;
DROP TABLE made_3;
CREATE TABLE made_3 (level VARCHAR(20) NOT NULL PRIMARY KEY) REPLACE AS SELECT DISTINCT level, 1 AS one FROM users;
SELECT * FROM made_3 ORDER BY level;
CREATE TABLE made_4 AS WITH c AS (SELECT user_id, MAX(total) AS m FROM orders GROUP BY user_id) SELECT u.name, c.m + 0 AS m FROM users u JOIN c ON c.user_id = u.user_id WHERE u.user_id < 30;
SELECT * FROM made_4 ORDER BY name, m;
CREATE TABLE made_5 (SELECT user_id AS id, name FROM users WHERE user_id < 5) UNION ALL (SELECT item_id, title FROM items WHERE item_id < 5) ORDER BY id LIMIT 6;
SELECT COUNT(*), MIN(id), MAX(id) FROM made_5;
SHOW COLUMNS FROM made_5;
-- Nothing is left of what can't be filled, and what was begun is committed.
CREATE TABLE made_6 AS SELECT user_id, nothing FROM users;
CREATE TABLE made_6 AS SELECT (SELECT user_id FROM users) AS two;
CREATE TABLE made_6 (a INT NOT NULL PRIMARY KEY, a INT) SELECT user_id FROM users;
SELECT * FROM made_6;
BEGIN;
INSERT INTO made_3 VALUES ('none', 3);
CREATE TABLE made_6 AS SELECT region_id, name FROM regions;
ROLLBACK;
SELECT * FROM made_3 ORDER BY level;
SELECT COUNT(*) FROM made_6;
BEGIN;
INSERT INTO made_3 VALUES ('more', 4);
CREATE TABLE made_8 AS SELECT nothing FROM users;
ROLLBACK;
SELECT * FROM made_3 ORDER BY level;
CREATE TABLE made_8 (id BIGINT, CHECK (id > 0)) SELECT user_id AS id FROM users WHERE user_id < 9;
CREATE TABLE made_9 (id BIGINT, CHECK (id > 0)) SELECT user_id AS id FROM users WHERE user_id < 9;
INSERT INTO made_9 VALUES (-1);
DROP TABLE made_8;
DROP TABLE made_9;
SET autocommit = 0;
CREATE TABLE made_7 AS SELECT COUNT(*) AS c FROM orders;
ROLLBACK;
SELECT * FROM made_7;
COMMIT;
SET autocommit = 1;
-- refused: made_of_rows
CREATE TABLE made_8 (user_id BIGINT, FOREIGN KEY (user_id) REFERENCES made_2 (id)) SELECT user_id FROM users;
-- refused: made_of_rows
CREATE TABLE made_8 (user_id BIGINT) PARTITION BY HASH (user_id) SELECT user_id FROM users;
DROP TABLE made_1, made_2, made_3, made_4, made_5, made_6, made_7;
-- What is computed has no default, not even NULL.
CREATE TABLE made_10 SELECT max(u.born) AS m, min(u.name) AS `n``,`, u.score + 1 AS s FROM users u JOIN orders o ON o.region_id = u.user_id;
-- only: mysql
SHOW CREATE TABLE made_10;
CREATE TABLE made_11 LIKE made_10;
-- only: mysql
SELECT * FROM made_11;
CREATE TABLE made_12 SELECT d.* FROM (SELECT user_id, max(total) AS m, avg(region_id) AS a FROM orders GROUP BY user_id) d JOIN users u ON u.user_id = d.user_id;
-- only: mysql
SHOW CREATE TABLE made_12;
-- only: mysql
SELECT * FROM made_12 WHERE user_id < 0;
DROP TABLE made_10, made_11, made_12;
-- Of views over shards, and columns whose names are words.
CREATE VIEW v_made AS SELECT u.user_id, u.name, u.level, o.total * 2 AS twice FROM users u JOIN orders o ON o.user_id = u.user_id WHERE u.user_id < 30;
CREATE TABLE made_20 AS SELECT * FROM v_made;
SELECT * FROM made_20 ORDER BY user_id, twice;
CREATE TABLE made_21 (start INT, more INT DEFAULT 3) SELECT level, count(*) AS c, max(user_id) AS start FROM v_made GROUP BY level;
SELECT * FROM made_21 ORDER BY level;
CREATE TEMPORARY TABLE made_22 SELECT v.user_id, i.title FROM v_made v JOIN items i ON i.item_id = v.user_id;
SELECT count(*), min(title) FROM made_22;
DROP TEMPORARY TABLE made_22;
DROP TABLE made_20, made_21;
DROP VIEW v_made;
