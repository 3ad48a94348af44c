-- SELECT … INTO @variables of rows that lie in several shards.
SELECT COUNT(*), SUM(user_id) INTO @count, @sum FROM users;
SELECT @count, @sum;
SELECT ROW_COUNT();
SELECT user_id, name FROM users ORDER BY user_id DESC LIMIT 1 INTO @id, @Name;
SELECT @id, @name;
SELECT u.user_id, i.title INTO @id, @title FROM users u JOIN items i ON i.item_id = u.user_id ORDER BY u.user_id LIMIT 1;
SELECT @id, @title;
SELECT user_id INTO @none FROM users WHERE user_id < 0;
SHOW WARNINGS;
SELECT @none;
SELECT user_id INTO @id FROM users ORDER BY user_id;
SELECT user_id INTO @a, @b FROM users ORDER BY user_id LIMIT 1;
PREPARE least FROM 'SELECT MIN(user_id), ? INTO @least, @given FROM users WHERE user_id > ?';
SET @above = 17, @seven = 7;
EXECUTE least USING @seven, @above;
SELECT @least, @given;
SELECT user_id INTO @one FROM users WHERE user_id = 5;
SELECT @one;
-- Of subqueries, unions and what the session knows.
SELECT (SELECT MAX(region_id) FROM regions), COUNT(*) INTO @region, @count FROM orders;
SELECT @region, @count;
SELECT COUNT(*) INTO @all FROM (SELECT user_id FROM users UNION SELECT item_id FROM items) x;
SELECT @all;
SET @all = (SELECT COUNT(*) + ROW_COUNT() FROM users);
SELECT DATABASE(), COUNT(*) INTO @schema, @count FROM users;
SELECT @schema, @count;
-- Its hint is as good as the variable.
SELECT /*+ SET_VAR(sql_select_limit = 3) */ user_id FROM users ORDER BY user_id;
SELECT user_id FROM users ORDER BY user_id;
SELECT /*+ SET_VAR(sql_select_limit = 5) */ user_id FROM users ORDER BY user_id;
SELECT /*+ SET_VAR(sql_select_limit = 1) */ level, COUNT(*) FROM users GROUP BY level ORDER BY level;
-- A FLOAT is a double of the same value by then.
SELECT score INTO @score FROM users ORDER BY user_id DESC LIMIT 1;
SELECT COUNT(*), @score FROM users WHERE score = @score AND user_id = 200;
SELECT score * 1e0 INTO @score FROM users ORDER BY user_id DESC LIMIT 1;
SELECT COUNT(*) FROM users WHERE score = @score AND user_id = 200;
-- What a variable holds is what the server itself put there: digits, types and collations.
SELECT SUM(total) / 3, AVG(total), COUNT(*) / 7, SUM(score), MAX(score) INTO @third, @mean, @part, @sum, @most FROM orders JOIN users USING (user_id) WHERE user_id = 7 OR level = 'gold';
SELECT @third, @mean, @part, @most, @third * 3, @part * 7;
SET @third = (SELECT SUM(total) / 3 FROM orders), @part = (SELECT COUNT(*) / 7 FROM users u JOIN items i ON i.item_id = u.user_id);
SELECT @third, @part, @third * 3;
SET @score = (SELECT score FROM users WHERE user_id = 200), @more = (SELECT MAX(score) FROM users);
SELECT @score, @more, @score * 3;
SELECT COUNT(*) FROM users WHERE score = @score AND user_id = 200;
SELECT name, born, registered_at, profile, level, balance, user_id INTO @name, @born, @at, @profile, @level, @balance, @id FROM users ORDER BY user_id DESC LIMIT 1;
SELECT @name, @born, @at, @profile, @level, @balance, @id;
SELECT COLLATION(@name), COLLATION(@born), COLLATION(@profile), COLLATION(@level), COLLATION(@balance), COLLATION(@id);
SELECT COERCIBILITY(@name), COERCIBILITY(@balance), COERCIBILITY(@id);
SELECT COUNT(*) FROM users WHERE name = @name AND level = @level;
SET @name = (SELECT MAX(name) FROM users), @none = (SELECT MAX(name) FROM users WHERE user_id < 0);
SELECT COLLATION(@name), @none IS NULL;
SELECT name FROM users WHERE name = @name ORDER BY user_id;
SELECT user_id FROM users WHERE CONCAT(name, 'x') = CONCAT(@name, 'x') ORDER BY user_id;
SELECT picture, attributes INTO @picture, @attributes FROM items ORDER BY picture DESC, item_id LIMIT 1;
SELECT HEX(@picture), COLLATION(@picture), @attributes;
SELECT COUNT(*) FROM items WHERE picture = @picture;
SET @bin = (SELECT CONCAT(MAX(name), '') COLLATE utf8mb4_bin FROM users);
SELECT COLLATION(@bin), @bin;
SET @plain = CONCAT('a', 'b') COLLATE utf8mb4_bin, @latin = CONVERT('äb' USING latin1), @whole = CAST(18446744073709551615 AS UNSIGNED), @small = -9223372036854775808, @double = 1e300 * 10, @third = 400 / 3, @minus = -0e0, @wide = CONVERT('ab' USING utf16);
SELECT COLLATION(@plain), COLLATION(@latin), HEX(@latin), @latin, @whole, @small, @double, @third, @minus, HEX(@wide), COLLATION(@wide);
SELECT COUNT(*), @whole, @small, @double, @third, HEX(@latin), COLLATION(@latin), COLLATION(@plain), HEX(@wide) FROM users u JOIN items i ON i.item_id = u.user_id;
-- The variable's bound is that of rows in the answer.
SET sql_select_limit = 1;
SELECT user_id INTO @id FROM users ORDER BY user_id;
SELECT @id;
SELECT user_id, name INTO @id, @name FROM users WHERE region_id < 5 ORDER BY user_id DESC;
SELECT @id, @name;
SET sql_select_limit = DEFAULT;
SELECT user_id INTO @id FROM users ORDER BY user_id LIMIT 1 FOR UPDATE;
SELECT FOUND_ROWS(), ROW_COUNT();
SELECT @id;
SELECT CAST(name AS SIGNED) INTO @number FROM users ORDER BY user_id LIMIT 1;
SHOW WARNINGS;
SET @number = (SELECT SUM(CAST(name AS SIGNED)) FROM users WHERE user_id < 3);
SHOW WARNINGS;
EXECUTE least USING @third, @third;
SELECT @least, @given;
-- One that fails midway has set its first values, and SET none.
SELECT user_id, user_id + 9223372036854775807 INTO @first, @over FROM users WHERE user_id = 2;
SELECT @first;
SELECT user_id, @first FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
SELECT MAX(user_id), MAX(user_id) + 9223372036854775807 INTO @first, @over FROM users;
SELECT @first;
SELECT user_id, @first FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
SET @kept = 13;
SET @kept = (SELECT user_id FROM users);
SELECT @kept;
SELECT user_id, @kept FROM users WHERE user_id IN (1, 2, 3, 4, 5, 6) ORDER BY user_id;
SET @kept = (SELECT region_id FROM regions);
SELECT @kept;
SELECT COUNT(*), @kept FROM regions;
-- A session that has had a temporary table.
CREATE TEMPORARY TABLE had (a INT);
DROP TEMPORARY TABLE had;
SELECT MAX(user_id) INTO @most FROM users;
SELECT @most;
-- NULL has the type of what was assigned.
SET @n1 = (SELECT MAX(user_id) FROM users WHERE user_id < 0), @n2 = (SELECT SUM(balance) FROM users WHERE user_id < 0);
SELECT MAX(name), MAX(1e0 * user_id) INTO @n3, @n4 FROM users WHERE user_id < 0;
SELECT COUNT(*) FROM regions WHERE region_id = @n1 OR name = @n3;
SELECT @n1, @n2, @n4, COLLATION(@n3);
PREPARE nulls FROM 'SELECT ? IS NULL, ? IS NULL, ? IS NULL';
EXECUTE nulls USING @n1, @n3, @n4;
DEALLOCATE PREPARE nulls;
-- LIMIT takes a text of a parameter, wherever it is written into one.
PREPARE cut FROM 'SELECT user_id FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?, ?';
SET @c1 = 5, @c2 = 2, @c3 = 3;
EXECUTE cut USING @c1, @c2, @c3;
DEALLOCATE PREPARE cut;
-- NULL has a type: the one that it came with.
SELECT MAX(name), MAX(user_id), SUM(total), MAX(score) * 1e0, MAX(born) INTO @name, @id, @sum, @most, @born FROM users LEFT JOIN orders USING (user_id) WHERE user_id < 0;
SELECT @name, @id, @sum, @most, @born;
SELECT @name, @id, @sum, @most, @born, COLLATION(@name) FROM users u JOIN items i ON i.item_id = u.user_id + 1 WHERE i.item_id = 3;
SELECT paid_at, coupon, order_id INTO @at, @coupon, @id FROM orders WHERE user_id = 7 ORDER BY coupon IS NULL DESC, order_id LIMIT 1;
SELECT @at, @coupon, @id FROM users WHERE user_id = 5;
