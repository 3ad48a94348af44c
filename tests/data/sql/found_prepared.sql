-- The same by the binary protocol alone.
-- Writes of rows.
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
UPDATE users SET level = level WHERE user_id = 5;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
UPDATE users SET level = level WHERE user_id IN (1, 2, 3, 4, 5);
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
UPDATE users SET level = level WHERE user_id > 3 AND user_id < 11;
SELECT FOUND_ROWS();
-- only: mariadb
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mariadb
UPDATE users SET level = level WHERE user_id IN (900001, 900002);
-- only: mariadb
SELECT FOUND_ROWS();
-- only: mysql
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mysql
UPDATE users SET level = level WHERE user_id IN (900001, 900002);
-- refused: found_rows_unknown
-- only: mysql
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
UPDATE users SET level = level WHERE user_id < 30 ORDER BY user_id LIMIT 4;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
UPDATE regions SET name = name WHERE region_id < 3;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
UPDATE users SET level = level WHERE user_id = (SELECT 5);
-- refused: found_rows_unknown
SELECT FOUND_ROWS();
-- only: mariadb
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mariadb
UPDATE users u JOIN regions r ON r.region_id = u.region_id SET u.level = u.level WHERE u.user_id < 9;
-- refused: found_rows_unknown
-- only: mariadb
SELECT FOUND_ROWS();
-- only: mysql
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mysql
UPDATE users u JOIN regions r ON r.region_id = u.region_id SET u.level = u.level WHERE u.user_id < 9;
-- only: mysql
SELECT FOUND_ROWS();
-- only: mariadb
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mariadb
UPDATE users u JOIN items i ON i.item_id = u.user_id SET u.level = u.level WHERE u.user_id < 9;
-- refused: found_rows_unknown
-- only: mariadb
SELECT FOUND_ROWS();
-- only: mysql
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mysql
UPDATE users u JOIN items i ON i.item_id = u.user_id SET u.level = u.level WHERE u.user_id < 9;
-- only: mysql
SELECT FOUND_ROWS();
-- only: mariadb
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mariadb
UPDATE users u, items i SET u.level = u.level WHERE u.user_id < 9 AND i.item_id = u.user_id;
-- refused: found_rows_unknown
-- only: mariadb
SELECT FOUND_ROWS();
-- only: mysql
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mysql
UPDATE users u, items i SET u.level = u.level WHERE u.user_id < 9 AND i.item_id = u.user_id;
-- only: mysql
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
DELETE FROM users WHERE user_id IN (900001, 900002);
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
DELETE FROM users WHERE user_id = 900001;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
DELETE FROM users WHERE user_id > 900000 ORDER BY user_id LIMIT 3;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
DELETE FROM users WHERE user_id > 900000 AND region_id IN (SELECT region_id FROM regions);
-- refused: found_rows_unknown
SELECT FOUND_ROWS();
-- only: mariadb
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mariadb
DELETE u FROM users u JOIN items i ON i.item_id = u.user_id WHERE u.user_id > 900000;
-- refused: found_rows_unknown
-- only: mariadb
SELECT FOUND_ROWS();
-- only: mysql
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mysql
DELETE u FROM users u JOIN items i ON i.item_id = u.user_id WHERE u.user_id > 900000;
-- only: mysql
SELECT FOUND_ROWS();
-- New rows.
CREATE TABLE found_target (a INT PRIMARY KEY, b INT);
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
REPLACE INTO found_target VALUES (1, 1), (2, 2);
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
INSERT INTO found_target SET a = 1 ON DUPLICATE KEY UPDATE b = 2;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
REPLACE INTO found_target SELECT user_id, level FROM users WHERE user_id = 5;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
REPLACE INTO found_target SELECT user_id, level FROM users WHERE user_id IN (1, 2, 3, 4);
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
REPLACE INTO found_target SELECT user_id, level FROM users WHERE user_id < 50 ORDER BY user_id LIMIT 6;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
REPLACE INTO found_target SELECT user_id, level FROM users WHERE user_id < 50 ORDER BY user_id LIMIT 2, 6;
-- refused: found_rows_unknown
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
INSERT IGNORE INTO found_target SELECT u.user_id, i.item_id FROM users u JOIN items i ON i.item_id = u.user_id WHERE u.user_id < 9;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
INSERT INTO found_target SELECT region_id, COUNT(*) FROM users GROUP BY region_id ON DUPLICATE KEY UPDATE b = 3;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
INSERT INTO found_target SELECT region_id, 1 FROM regions ON DUPLICATE KEY UPDATE b = 3;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
REPLACE INTO found_target SELECT 1, 1;
-- refused: found_rows_unknown
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
REPLACE INTO found_target VALUES ((SELECT MAX(region_id) FROM regions), 1);
-- refused: found_rows_unknown
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
INSERT INTO found_target VALUES (1, 1);
SELECT FOUND_ROWS();
-- only: mariadb
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mariadb
INSERT INTO found_target SELECT user_id, 1 FROM users WHERE user_id < 9;
-- refused: found_rows_unknown
-- only: mariadb
SELECT FOUND_ROWS();
-- only: mysql
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mysql
INSERT INTO found_target SELECT user_id, 1 FROM users WHERE user_id < 9;
-- only: mysql
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
INSERT INTO users (user_id, name, email, region_id, registered_at) SELECT user_id + 900000, name, email, region_id, registered_at FROM users WHERE user_id IN (1, 2, 3);
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
DELETE FROM users WHERE user_id > 900000;
SELECT FOUND_ROWS();
-- What shows, and what says nothing of rows.
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SHOW CREATE TABLE regions;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
DESCRIBE regions;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SHOW COLUMNS FROM users;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SHOW VARIABLES LIKE 'autocommit';
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SET @x = 1;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
TRUNCATE TABLE found_target;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
ALTER TABLE found_target ADD COLUMN c INT;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
ALTER TABLE found_target DROP COLUMN c;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
DO 1;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SELECT 1;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SELECT nosuch FROM users;
SELECT FOUND_ROWS();
-- only: mariadb
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mariadb
SET @x = (SELECT MAX(user_id) FROM users);
-- refused: found_rows_unknown
-- only: mariadb
SELECT FOUND_ROWS();
-- only: mysql
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mysql
SET @x = (SELECT MAX(user_id) FROM users);
-- only: mysql
SELECT FOUND_ROWS();
-- only: mariadb
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mariadb
SET @x = (SELECT COUNT(*) FROM regions);
-- refused: found_rows_unknown
-- only: mariadb
SELECT FOUND_ROWS();
-- only: mysql
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mysql
SET @x = (SELECT COUNT(*) FROM regions);
-- only: mysql
SELECT FOUND_ROWS();
-- only: mariadb
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mariadb
VALUES (1), (2);
-- only: mariadb
SELECT FOUND_ROWS();
-- only: mysql
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mysql
VALUES ROW(1), ROW(2);
-- only: mysql
SELECT FOUND_ROWS();
-- LIMIT that skips rows.
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SELECT user_id FROM users ORDER BY user_id LIMIT 2, 5;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SELECT user_id FROM users WHERE user_id < 9 ORDER BY user_id LIMIT 5 OFFSET 4;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SELECT region_id FROM regions ORDER BY region_id LIMIT 1, 2;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SELECT region_id, COUNT(*) FROM users GROUP BY region_id ORDER BY region_id LIMIT 1, 2;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SELECT u.user_id, i.title FROM users u JOIN items i ON i.item_id = u.user_id ORDER BY u.user_id LIMIT 3, 4;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SELECT user_id FROM users WHERE user_id = 5 LIMIT 0, 3;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SELECT user_id FROM users WHERE user_id < 9 ORDER BY user_id LIMIT 50, 4;
-- refused: found_rows_unknown
SELECT FOUND_ROWS();
-- only: mariadb
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mariadb
SELECT user_id FROM users WHERE user_id < 4 UNION ALL SELECT region_id FROM regions ORDER BY 1 LIMIT 2;
-- refused: found_rows_unknown
-- only: mariadb
SELECT FOUND_ROWS();
-- only: mysql
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mysql
SELECT user_id FROM users WHERE user_id < 4 UNION ALL SELECT region_id FROM regions ORDER BY 1 LIMIT 2;
-- only: mysql
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SELECT user_id FROM users WHERE user_id < 4 UNION SELECT region_id FROM regions;
SELECT FOUND_ROWS();
-- INTO.
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SELECT user_id INTO @x FROM users WHERE user_id = 5;
SELECT FOUND_ROWS();
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
SELECT user_id INTO @x FROM users WHERE user_id < 9 ORDER BY user_id LIMIT 1;
SELECT FOUND_ROWS();
-- only: mariadb
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mariadb
SELECT MAX(user_id) INTO @x FROM users;
-- refused: found_rows_unknown
-- only: mariadb
SELECT FOUND_ROWS();
-- only: mysql
SELECT user_id FROM users WHERE user_id BETWEEN 1 AND 17;
-- only: mysql
SELECT MAX(user_id) INTO @x FROM users;
-- only: mysql
SELECT FOUND_ROWS();
REPLACE INTO found_target VALUES (1, 1), (2, 2), (3, 3);
DROP TABLE found_target;
