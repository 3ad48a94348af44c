-- What is told of the conditions of the statement before: counts, GET DIAGNOSTICS, SIGNAL.
CREATE TABLE judged (id INT PRIMARY KEY, v VARCHAR(3), n INT);
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'hello', MYSQL_ERRNO = 5000;
SHOW WARNINGS;
GET DIAGNOSTICS @n = NUMBER, @c = ROW_COUNT;
GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT, @e = MYSQL_ERRNO, @s = RETURNED_SQLSTATE;
SELECT @n, @c, @m, @e, @s, CHARSET(@m), COLLATION(@s);
SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'warned';
SHOW WARNINGS;
SHOW COUNT(*) WARNINGS;
SHOW COUNT(*) ERRORS;
RESIGNAL;
SELECT * FROM nosuch;
GET CURRENT DIAGNOSTICS CONDITION 7 @m = MESSAGE_TEXT;
SHOW WARNINGS;
GET DIAGNOSTICS x = NUMBER;
SELECT 'a' + 1 FROM judged;
SELECT COUNT(*), MAX('a' + 1) FROM items WHERE item_id = 1;
SELECT @@warning_count, @@session.error_count e;
SELECT 'a' + user_id FROM users WHERE user_id = 1;
SET @w = @@warning_count + 10 * @@error_count;
SELECT @w;
SELECT * FROM nosuch;
SELECT @@warning_count + 10 * @@error_count w;
-- Beside an error stands what was warned of before it.
INSERT INTO judged SELECT 1, 'a', 1 UNION SELECT 2, 'abcd', 2;
SHOW WARNINGS;
CREATE TABLE judged_2 (id INT PRIMARY KEY, n TINYINT(2) ZEROFILL, KEY (zz));
SHOW WARNINGS;
DROP TABLE judged, judged_2;
SHOW WARNINGS;
GET DIAGNOSTICS CONDITION 1 @s = RETURNED_SQLSTATE;
SELECT @s;
-- An error that the client raises ends no transaction, whatever its number is.
CREATE TABLE judged_3 (id INT PRIMARY KEY);
BEGIN;
INSERT INTO judged_3 VALUES (1);
SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213;
INSERT INTO judged_3 VALUES (2);
COMMIT;
SELECT id FROM judged_3 ORDER BY id;
UPDATE judged_3 SET id = id + 10;
GET DIAGNOSTICS @r = ROW_COUNT;
SELECT @r, ROW_COUNT();
SELECT id FROM judged_3 ORDER BY id;
DROP TABLE judged_3;
-- SET TRANSACTION before a statement in autocommit: what names no table isn't the next transaction.
CREATE TABLE judged_4 (id INT PRIMARY KEY);
SET TRANSACTION READ ONLY;
SELECT 1;
INSERT INTO judged_4 VALUES (1);
INSERT INTO judged_4 VALUES (2);
SELECT COUNT(*) FROM judged_4;
INSERT INTO judged_4 VALUES (3);
-- only: mysql
SET @@transaction_read_only = 1;
-- only: mariadb
SET @@tx_read_only = 1;
UPDATE users SET balance = 0 WHERE user_id = 1;
DELETE FROM orders;
SELECT user_id FROM users WHERE user_id = 1;
SET TRANSACTION READ ONLY, ISOLATION LEVEL READ COMMITTED;
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
START TRANSACTION;
SELECT user_id FROM users WHERE user_id = 1;
INSERT INTO judged_4 VALUES (4);
COMMIT;
INSERT INTO judged_4 VALUES (5);
SET TRANSACTION READ ONLY;
ALTER TABLE judged_4 ADD COLUMN v INT;
INSERT INTO judged_4 VALUES (6, 6);
-- only: mysql
SET @@transaction_isolation = 'READ-COMMITTED';
-- only: mariadb
SET @@tx_isolation = 'READ-COMMITTED';
SELECT COUNT(*) FROM users;
-- only: mysql
SET SESSION transaction_read_only = DEFAULT;
-- only: mariadb
SET SESSION tx_read_only = DEFAULT;
INSERT INTO judged_4 VALUES (7, 7);
BEGIN;
-- only: mysql
SET @@transaction_isolation = 'SERIALIZABLE';
-- only: mariadb
SET @@tx_isolation = 'SERIALIZABLE';
ROLLBACK;
SELECT * FROM judged_4 ORDER BY id;
-- refused: set_next_transaction
SET @@transaction_isolation = @@global.transaction_isolation;
SET TRANSACTION READ ONLY;
-- refused: read_only_stored
CALL nosuch();
BEGIN;
ROLLBACK;
DROP TABLE judged_4;
-- SHOW WARNINGS and its kin, read by words.
SELECT 'a' + user_id, 'b' + user_id FROM users WHERE user_id = 1;
SHOW WARNINGS -- limit 0
LIMIT 1;
SHOW /* errors, count */ WARNINGS;
SHOW WARNINGS LIMIT 1 OFFSET 1;
SHOW WARNINGS LIMIT 1, 1;
SHOW WARNINGS LIMIT 5, 1;
SHOW WARNINGS LIMIT 1, ;
SHOW WARNINGS LIMIT -1;
SHOW WARNINGS LIKE 'a';
SHOW COUNT(*) WARNINGS LIMIT 1;
SHOW COUNT( * ) ERRORS;
SHOW TABLES LIKE 'regions' LIMIT 1;
PREPARE shows FROM 'SHOW TABLES LIKE ?';
-- What one server's connection knows and no client of many does.
SELECT IS_USED_LOCK('judged') IS NULL, IS_USED_LOCK(CONCAT('a', 'b')) IS NOT NULL;
-- refused: lock_owner
SELECT IS_USED_LOCK('judged') = CONNECTION_ID();
SET sql_auto_is_null = 0;
-- refused: set_auto_is_null
SET sql_auto_is_null = 1;
-- What uses SET TRANSACTION up, and what doesn't.
CREATE TABLE judged_5 (id INT PRIMARY KEY);
SET TRANSACTION READ ONLY;
COMMIT;
INSERT INTO judged_5 VALUES (1);
SET TRANSACTION READ ONLY;
SELECT * FROM nosuch_table;
INSERT INTO judged_5 VALUES (2);
ROLLBACK;
INSERT INTO judged_5 VALUES (3);
SET TRANSACTION READ ONLY;
SELECT nosuch FROM judged_5;
INSERT INTO judged_5 VALUES (4);
SET TRANSACTION READ ONLY;
SET SESSION TRANSACTION READ WRITE;
INSERT INTO judged_5 VALUES (5);
SET TRANSACTION READ ONLY;
SELECT user_id FROM users WHERE user_id IN (1, 13) ORDER BY user_id FOR UPDATE;
SELECT code FROM coupons ORDER BY code LIMIT 1 FOR UPDATE;
ROLLBACK;
SET SESSION TRANSACTION READ ONLY;
UPDATE orders SET note = 'x' WHERE user_id = 13;
START TRANSACTION READ WRITE;
UPDATE orders SET note = 'x' WHERE user_id = 13;
UPDATE orders SET note = 'x' WHERE user_id = 1;
ROLLBACK;
SET TRANSACTION READ WRITE;
UPDATE judged_5 SET id = 9 WHERE id = 5;
UPDATE judged_5 SET id = 10 WHERE id = 9;
SET SESSION TRANSACTION READ WRITE;
-- refused: syntax
SET TRANSACTION READ ONLY, READ WRITE;
SELECT * FROM judged_5 ORDER BY id;
DROP TABLE judged_5;
-- A user lock is taken where the others of its name are.
-- refused: lock_place
SELECT GET_LOCK('judged', 0) FROM users WHERE user_id = 13;
-- A transaction that reads only has nothing to commit, whatever was refused in it.
SET TRANSACTION READ ONLY;
BEGIN;
UPDATE orders SET note = 'x' WHERE user_id = 1;
UPDATE orders SET note = 'x' WHERE user_id = 13;
UPDATE orders SET note = 'x' WHERE user_id IN (1, 2, 3, 13);
SELECT COUNT(*) FROM orders WHERE user_id IN (1, 13);
COMMIT;
SET SESSION TRANSACTION READ ONLY;
BEGIN;
UPDATE orders SET note = 'x' WHERE user_id = 1;
UPDATE orders SET note = 'x' WHERE user_id = 13;
COMMIT;
SET SESSION TRANSACTION READ WRITE;
START TRANSACTION;
UPDATE orders SET note = 'only here' WHERE user_id IN (1, 2, 3, 13);
ROLLBACK;
SELECT COUNT(*) FROM orders WHERE note = 'only here';
-- A function may write, though its statement names no table.
CREATE TABLE written_by (v INT);
CREATE FUNCTION writes_one() RETURNS INT NOT DETERMINISTIC MODIFIES SQL DATA BEGIN INSERT INTO written_by VALUES (1); RETURN 1; END;
SET TRANSACTION READ ONLY;
DO writes_one();
SELECT COUNT(*) FROM written_by;
SET TRANSACTION READ ONLY;
SELECT writes_one();
SELECT COUNT(*) FROM written_by;
SET TRANSACTION READ ONLY;
SET @written = writes_one();
SELECT COUNT(*) FROM written_by;
DROP FUNCTION writes_one;
DROP TABLE written_by;
-- How it is isolated, whichever server reads the rows.
SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED;
SELECT a.user_id, b.user_id, @@transaction_isolation FROM users a JOIN users b ON a.user_id = 1 AND b.user_id = 13;
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
-- An error of the text is no transaction, one of the rows is.
SET TRANSACTION READ ONLY;
SELECT level, COUNT(*), name FROM users WHERE user_id = 1 GROUP BY level HAVING nosuch > 1;
UPDATE orders SET note = note WHERE user_id = 1;
ROLLBACK;
SET TRANSACTION READ ONLY;
SELECT user_id FROM users u JOIN orders o WHERE u.user_id = 1;
UPDATE orders SET note = note WHERE user_id = 1;
ROLLBACK;
SET TRANSACTION READ ONLY;
SELECT (SELECT user_id FROM users WHERE user_id IN (1, 13)) FROM users WHERE user_id IN (1, 2, 3);
UPDATE orders SET note = note WHERE user_id = 1;
ROLLBACK;
SET TRANSACTION READ ONLY;
SELECT user_id + 9223372036854775807 FROM users WHERE user_id = 1;
UPDATE orders SET note = note WHERE user_id = 1;
ROLLBACK;
-- A write that changes no row is one.
SET TRANSACTION READ ONLY;
INSERT INTO regions (region_id, name) SELECT user_id, name FROM users WHERE user_id < 0;
INSERT INTO orders (order_id, user_id, region_id, total) SELECT user_id, user_id, 1, 5 FROM users WHERE user_id < 0;
ROLLBACK;
SET SESSION TRANSACTION READ ONLY;
REPLACE INTO regions (region_id, name) SELECT user_id, name FROM users WHERE user_id < 0;
UPDATE users u JOIN items i ON i.item_id = u.user_id SET u.level = i.title WHERE u.user_id < 0;
DELETE u FROM users u JOIN items i ON i.item_id = u.user_id WHERE u.user_id < 0;
BEGIN;
DELETE u FROM users u JOIN items i ON i.item_id = u.user_id WHERE u.user_id < 0;
COMMIT;
SET SESSION TRANSACTION READ WRITE;
START TRANSACTION READ ONLY;
DELETE u FROM users u JOIN items i ON i.item_id = u.user_id WHERE u.user_id < 0;
COMMIT;
-- The session's way is that of BEGIN, whatever is said before the first statement.
SET SESSION TRANSACTION READ ONLY;
BEGIN;
SET SESSION TRANSACTION READ WRITE;
UPDATE orders SET note = 'w' WHERE user_id IN (1, 2, 13);
COMMIT;
SELECT COUNT(*) FROM orders WHERE note = 'w';
BEGIN;
SET SESSION TRANSACTION READ ONLY;
UPDATE orders SET note = 'w' WHERE user_id IN (1, 2, 13);
SELECT COUNT(*) FROM orders WHERE note = 'w';
ROLLBACK;
SET SESSION TRANSACTION READ WRITE;
SELECT COUNT(*) FROM orders WHERE note = 'w';
SET autocommit = 0;
SET SESSION TRANSACTION READ ONLY;
UPDATE orders SET note = 'w' WHERE user_id = 1;
UPDATE orders SET note = 'w' WHERE user_id = 13;
UPDATE orders SET note = 'w' WHERE user_id IN (1, 2, 13);
COMMIT;
SET SESSION TRANSACTION READ WRITE;
SET autocommit = 1;
SET TRANSACTION READ ONLY;
SHOW CREATE TABLE regions;
UPDATE orders SET note = note WHERE user_id = 1;
ROLLBACK;
-- A savepoint before the first statement of autocommit=0.
SET autocommit = 0;
SAVEPOINT s1;
SELECT 1;
UPDATE orders SET note = 'sp' WHERE user_id < 30;
ROLLBACK TO SAVEPOINT s1;
SELECT COUNT(*) FROM orders WHERE note = 'sp';
ROLLBACK;
SAVEPOINT s1;
SELECT nosuch FROM users WHERE user_id = 1;
UPDATE orders SET note = 'sp' WHERE user_id = 3;
UPDATE orders SET note = 'sp' WHERE user_id = 60;
UPDATE orders SET note = 'sp' WHERE user_id = 13;
ROLLBACK TO SAVEPOINT s1;
SELECT COUNT(*) FROM orders WHERE note = 'sp';
ROLLBACK;
SAVEPOINT s1;
SELECT nosuch FROM users;
SELECT COUNT(*) FROM users;
UPDATE orders SET nosuch = 1;
SELECT COUNT(*) FROM users;
RELEASE SAVEPOINT s1;
ROLLBACK;
SAVEPOINT s1;
SET SESSION TRANSACTION READ ONLY;
UPDATE orders SET note = 'sp' WHERE user_id = 3;
UPDATE orders SET note = 'sp' WHERE user_id < 30;
ROLLBACK;
SET SESSION TRANSACTION READ WRITE;
SET autocommit = 1;
SELECT COUNT(*) FROM orders WHERE note = 'sp';
