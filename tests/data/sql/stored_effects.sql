-- What a procedure opens and sets is the session's.
CREATE TABLE left_behind (v INT);
CREATE PROCEDURE opens(OUT o INT) BEGIN START TRANSACTION; INSERT INTO left_behind VALUES (9); SAVEPOINT inner_one; SET o = 1; END;
CALL opens(@o);
UPDATE orders SET note = 'x' WHERE user_id = 13;
UPDATE orders SET note = 'x' WHERE user_id IN (1, 2, 3);
ROLLBACK;
SELECT COUNT(*) FROM left_behind;
SELECT COUNT(*) FROM orders WHERE note = 'x';
CALL opens(@o);
SAVEPOINT mine;
UPDATE orders SET note = 'x' WHERE user_id = 13;
INSERT INTO left_behind VALUES (10);
ROLLBACK TO mine;
UPDATE orders SET note = 'y' WHERE user_id = 1;
SELECT COUNT(*) FROM orders WHERE note IN ('x', 'y') AND user_id IN (1, 13) AND note = 'x';
SELECT * FROM left_behind;
ROLLBACK;
SELECT COUNT(*) FROM left_behind;
SELECT COUNT(*) FROM orders WHERE note IN ('x', 'y');
CALL opens(@o);
UPDATE users SET level = level WHERE user_id = 5;
COMMIT;
SELECT * FROM left_behind;
DELETE FROM left_behind;
DROP PROCEDURE opens;
-- One that fails.
CREATE PROCEDURE opens() BEGIN START TRANSACTION; INSERT INTO left_behind VALUES (9); SET time_zone = '+04:00'; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END;
CALL opens();
UPDATE orders SET note = 'x' WHERE user_id = 13;
SELECT user_id, @@time_zone FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
ROLLBACK;
SELECT COUNT(*) FROM left_behind;
SELECT COUNT(*) FROM orders WHERE note = 'x';
SET time_zone = DEFAULT;
SELECT user_id, @@time_zone = @@GLOBAL.time_zone FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
DROP PROCEDURE opens;
-- only: mariadb
BEGIN NOT ATOMIC START TRANSACTION; INSERT INTO left_behind VALUES (11); END;
-- only: mariadb
UPDATE orders SET note = 'x' WHERE user_id IN (1, 2, 3, 13);
-- only: mariadb
ROLLBACK;
SELECT COUNT(*) FROM left_behind;
SELECT COUNT(*) FROM orders WHERE note = 'x';
-- autocommit.
CREATE PROCEDURE turns_off() SET autocommit = 0;
CALL turns_off();
SELECT user_id, @@autocommit FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
UPDATE orders SET note = 'x' WHERE user_id IN (1, 2, 3, 13);
INSERT INTO left_behind VALUES (12);
ROLLBACK;
SELECT COUNT(*) FROM left_behind;
SELECT COUNT(*) FROM orders WHERE note = 'x';
SET autocommit = 1;
SELECT @@autocommit;
INSERT INTO left_behind VALUES (12);
ROLLBACK;
SELECT COUNT(*) FROM left_behind;
DROP PROCEDURE turns_off;
CREATE PROCEDURE turns_off() BEGIN SET autocommit = 0; INSERT INTO left_behind VALUES (13); END;
CALL turns_off();
UPDATE orders SET note = 'x' WHERE user_id IN (1, 2, 3, 13);
ROLLBACK;
SELECT COUNT(*) FROM left_behind;
CALL turns_off();
SET autocommit = 1;
SELECT COUNT(*) FROM left_behind;
DROP PROCEDURE turns_off;
CREATE PROCEDURE turns_off() BEGIN SET autocommit = 0; INSERT INTO left_behind VALUES (13); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END;
CALL turns_off();
SELECT user_id, @@autocommit FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
ROLLBACK;
SELECT COUNT(*) FROM left_behind;
SET autocommit = 1;
DROP PROCEDURE turns_off;
-- What sets the session's variables.
CREATE PROCEDURE sets() BEGIN SET time_zone = '+03:00', group_concat_max_len = 77, lc_time_names = 'de_DE', div_precision_increment = 9; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; END;
SELECT user_id, 1 / 3 FROM users WHERE user_id = 1;
CALL sets();
SELECT user_id, @@time_zone, @@group_concat_max_len, @@lc_time_names, @@div_precision_increment, 1 / 3 FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
SELECT u.user_id, FROM_UNIXTIME(0), MONTHNAME('2020-05-01') FROM users u JOIN items i ON i.item_id = u.user_id WHERE u.user_id < 5 ORDER BY u.user_id;
-- only: mysql
SELECT user_id, @@transaction_isolation FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
-- only: mariadb
SELECT user_id, @@tx_isolation FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
SET time_zone = DEFAULT, group_concat_max_len = DEFAULT, lc_time_names = DEFAULT, div_precision_increment = DEFAULT;
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
SELECT user_id, @@time_zone = @@GLOBAL.time_zone, @@lc_time_names, @@div_precision_increment, 1 / 3 FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
DROP PROCEDURE sets;
CREATE PROCEDURE sets() BEGIN SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'; SET SESSION TRANSACTION READ ONLY; END;
CALL sets();
SELECT user_id, 'a' || 'b' FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
UPDATE orders SET note = 'x' WHERE user_id = 13;
UPDATE orders SET note = 'x' WHERE user_id = 1;
SET SESSION TRANSACTION READ WRITE;
UPDATE orders SET note = note WHERE user_id = 1;
SET sql_mode = DEFAULT;
DROP PROCEDURE sets;
CREATE PROCEDURE sets() SET NAMES latin1;
CALL sets();
SELECT user_id, @@character_set_client, @@character_set_results, @@collation_connection FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
SET NAMES utf8mb4;
DROP PROCEDURE sets;
-- A function that a statement calls.
CREATE FUNCTION sets() RETURNS INT NOT DETERMINISTIC NO SQL BEGIN SET group_concat_max_len = 99; SET @by_function = 8; RETURN 1; END;
SELECT sets();
SELECT user_id, @@group_concat_max_len, @by_function FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
SET group_concat_max_len = DEFAULT;
SET @by_function = 1;
SET @from_function = sets() + 1;
SELECT @by_function, @from_function, user_id FROM users WHERE user_id = 13;
SELECT @by_function, @from_function, user_id FROM users WHERE user_id = 1;
-- refused: statement
SHOW TABLES WHERE sets() = 1;
DROP FUNCTION sets;
-- A function by the name of one that only the other kind of server has itself.
-- only: mysql
CREATE FUNCTION nextval(name CHAR(8)) RETURNS INT NOT DETERMINISTIC NO SQL BEGIN SET group_concat_max_len = 77; RETURN 3; END;
-- only: mysql
SELECT nextval('orders');
-- only: mariadb
CREATE FUNCTION any_value(a INT) RETURNS INT NOT DETERMINISTIC NO SQL BEGIN SET group_concat_max_len = 77; RETURN a; END;
-- only: mariadb
SELECT any_value(3);
SELECT user_id, @@group_concat_max_len FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
-- only: mysql
SELECT user_id, nextval('users') FROM users WHERE user_id IN (1, 2, 3) ORDER BY user_id;
-- only: mysql
DROP FUNCTION nextval;
-- only: mariadb
DROP FUNCTION any_value;
SET group_concat_max_len = DEFAULT;
-- Nothing of it is undone in the tables.
DROP TABLE left_behind;
