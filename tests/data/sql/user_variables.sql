-- What statements, and stored code, leave with the session is the same on all servers: variables,
-- transactions and settings.
SET @d = 1;
SELECT @d := 7;
SELECT user_id, @d FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6, 13) ORDER BY user_id;
BEGIN;
DELETE FROM orders WHERE user_id IN (1, 13) AND total > @d * 10;
ROLLBACK;
SET @d = 1;
SELECT @d := 7, @e := 'x';
BEGIN;
UPDATE regions SET shipping = @d WHERE region_id < 4;
SELECT region_id, shipping, @e FROM regions WHERE region_id < 5 ORDER BY region_id;
ROLLBACK;
SELECT @new := 5;
SELECT user_id, @new FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6, 13) ORDER BY user_id;
UPDATE users SET level = level WHERE user_id = 5 AND (@f := 3) = 3;
SELECT user_id, @f FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
INSERT INTO coupons VALUES ('assigned', @h := 9, 1, '2030-01-01');
SELECT user_id, @h FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
DELETE FROM coupons WHERE code = 'assigned';
DO @i := 5.50;
SELECT COUNT(*) FROM users WHERE user_id > @i;
SELECT user_id, @i FROM users WHERE user_id = 13;
PREPARE assigns FROM 'SELECT @l := 8';
EXECUTE assigns;
SELECT user_id, @l FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
DEALLOCATE PREPARE assigns;
SELECT @name := name FROM users WHERE user_id = 2;
SELECT @name, COLLATION(@name);
SELECT user_id FROM users WHERE name = @name ORDER BY user_id;
SELECT user_id, @name, COLLATION(@name) FROM users WHERE user_id IN (1, 3, 5) ORDER BY user_id;
-- The numbers of rows go on.
SET @i = 0;
SELECT @i := @i + 1, code FROM coupons ORDER BY code LIMIT 3;
SELECT @i := @i + 1, order_id FROM orders WHERE user_id = 13 LIMIT 3;
SELECT @i := @i + 1, user_id FROM users WHERE user_id = 4;
SELECT @i;
-- Assigned anew by SET where a statement has done it.
SET @i = 0;
SELECT @i := @i + 1, user_id FROM users WHERE user_id = 4;
SELECT @i := @i + 1, user_id FROM users WHERE user_id = 5;
-- In a transaction, in an error, and in one that is undone.
BEGIN;
SELECT @t := 1, user_id FROM users WHERE user_id = 1;
SELECT @t := @t + 1, user_id FROM users WHERE user_id = 2;
SELECT @t := @t + 1, user_id FROM users WHERE user_id = 3;
ROLLBACK;
SELECT user_id, @t FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
INSERT INTO coupons VALUES ('SPRING', @u := 9, 1, 'no date at all');
SELECT user_id, @u FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
-- refused: scatter_function
INSERT INTO orders (user_id, region_id, total, created_at) VALUES (1, 1, @v := 9, '2020-01-01'), (2, 1, @v + 1, '2020-01-01'), (3, 1, 1, '2020-01-01'), (4, 1, 1, '2020-01-01');
-- Values that are too long to be kept stay where they are, and the session goes on.
SET @big = 'a';
BEGIN;
UPDATE coupons SET uses_left = uses_left + 1;
-- refused: user_variable_size
SET @big = REPEAT('x', 100000);
SELECT user_id, @big FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
SET @small = 'b';
SET @big = 'small';
-- refused: user_variable_size
SET @big = REPEAT('x', 100000), @small = 1;
SELECT user_id, @big, @small FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
SELECT LENGTH(@big := REPEAT('x', 100000)) FROM coupons LIMIT 1;
-- refused: user_variable_size
SELECT user_id, LENGTH(@big) FROM users ORDER BY user_id;
-- refused: user_variable_size
SET @small = LENGTH(@big);
SELECT LENGTH(@big) FROM coupons LIMIT 1;
SET @big = 3;
SELECT user_id, @big FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
ROLLBACK;
-- Arguments of procedures, and variables that their bodies set.
CREATE PROCEDURE leaves(INOUT a INT, OUT b VARCHAR(20), c INT) BEGIN SET a = a + 1, b = CONCAT('b', c); SET @inside = c; SELECT 5 INTO @taken; END;
SET @a = 4, @c = 7;
CALL leaves(@a, @b, @c);
SELECT user_id, @a, @b, @inside, @taken FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6, 13) ORDER BY user_id;
CALL leaves(@a, @b, 8);
BEGIN;
UPDATE regions SET shipping = @a + @inside WHERE region_id < 4;
SELECT region_id, shipping FROM regions WHERE region_id < 5 ORDER BY region_id;
ROLLBACK;
SET @inside = 8, @a = 1;
SELECT user_id, @a, @b, @inside FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6, 13) ORDER BY user_id;
CALL leaves(@a, @b, 9);
SET @inside = 8;
SELECT user_id, @inside, @a FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6, 13) ORDER BY user_id;
CALL leaves(@a, @b, 9);
PREPARE shows FROM 'SELECT user_id FROM users WHERE user_id BETWEEN ? AND ? ORDER BY user_id';
EXECUTE shows USING @a, @inside;
CALL leaves(@a, @b, 10);
SET @copied = @inside, @more = @a + 1;
SELECT user_id, @copied, @more FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
CALL leaves(@a, @b, 11);
SELECT MAX(user_id), @inside INTO @most, @inside2 FROM users WHERE user_id < @inside;
SELECT @most, @inside2;
CALL leaves(@a, @b, 12);
SELECT COUNT(*) FROM users u JOIN items i ON i.item_id = u.user_id WHERE u.user_id < @inside;
DROP PROCEDURE leaves;
DEALLOCATE PREPARE shows;
-- only: mariadb
IF 1 THEN SET @compound = 5; END IF;
-- only: mariadb
SELECT user_id, @compound FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
-- only: mariadb
SET STATEMENT max_statement_time = 5 FOR SET @c = 13;
-- only: mariadb
SELECT user_id, @c, @@max_statement_time FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
-- only: mariadb
SET STATEMENT group_concat_max_len = 5 FOR SELECT @c := 14;
-- only: mariadb
SELECT user_id, @c, @@group_concat_max_len FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
-- Triggers.
CREATE TABLE fires (v INT);
CREATE TRIGGER fires_too BEFORE INSERT ON fires FOR EACH ROW SET @fired = NEW.v;
INSERT INTO fires VALUES (3);
SELECT user_id, @fired FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
INSERT INTO fires VALUES (4);
SELECT @fired := @fired + 1, user_id FROM users WHERE user_id = 5;
SELECT user_id, @fired FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
DROP TABLE fires;
-- Temporary tables leave variables alone.
SET @beside = 1;
CREATE TEMPORARY TABLE at_hand AS SELECT 1 AS a;
SELECT @beside := 2;
SELECT user_id, @beside FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
DROP TEMPORARY TABLE at_hand;
SELECT user_id, @beside FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
-- A geometry stays one.
SELECT ST_GeomFromText('POINT(1 2)'), user_id INTO @shape, @id FROM users ORDER BY user_id LIMIT 1;
SELECT @shape, ST_AsText(@shape), @id;
SET @shape = ST_GeomFromText('LINESTRING(1 2, 3 4)', 4326);
SELECT @shape, ST_AsText(@shape), ST_SRID(@shape);
SELECT user_id, @shape, ST_AsText(@shape), LENGTH(@shape) FROM users WHERE user_id IN (1, 2, 3, 4, 5) ORDER BY user_id;
SET @shape = ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2), POLYGON((0 0, 0 3, 3 3, 0 0)))');
SELECT user_id, ST_AsText(@shape) FROM users WHERE user_id IN (1, 2, 3, 4, 5) ORDER BY user_id;
