//! The functions that servers bring themselves.
//!
//! Owns: their names. Never: what they do ([`super::traits`]). MariaDB lists its own in
//! information_schema.SQL_FUNCTIONS; those of the grammar and MySQL's are added from the manuals. A
//! function that isn't here is a stored or loadable one, and may do anything.

use crate::sql::lex::ServerKind;

/// Sorted.
#[rustfmt::skip]
const NATIVE: [&str; 432] = [
    "abs", "acos", "add_months", "adddate", "addtime", "aes_decrypt", "aes_encrypt",
    "against", "all", "any", "any_value", "area", "asbinary", "ascii", "asin", "astext",
    "aswkb", "aswkt", "atan", "atan2", "avg", "benchmark", "bin", "bin_to_uuid", "binary",
    "binlog_gtid_pos", "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor",
    "boundary", "buffer", "cast", "ceil", "ceiling", "centroid", "char", "char_length",
    "character_length", "charset", "chr", "coalesce", "coercibility", "collate",
    "collation", "column_add", "column_check", "column_create", "column_delete",
    "column_exists", "column_get", "column_json", "column_list", "compress", "concat",
    "concat_operator", "concat_operator_oracle", "concat_ws", "connection_id", "contains",
    "conv", "convert", "convert_tz", "cos", "cot", "count", "crc32", "crc32c", "crosses",
    "cume_dist", "curdate", "current_date", "current_role", "current_time",
    "current_timestamp", "current_user", "curtime", "database", "date", "date_add",
    "date_format", "date_sub", "datediff", "day", "dayname", "dayofmonth", "dayofweek",
    "dayofyear", "decode", "decode_histogram", "decode_oracle", "default", "degrees",
    "dense_rank", "des_decrypt", "des_encrypt", "dimension", "disjoint", "distance", "div",
    "elt", "encode", "encrypt", "endpoint", "envelope", "equals", "exists", "exp",
    "export_set", "exteriorring", "extract", "extractvalue", "field", "find_in_set",
    "first_value", "floor", "format", "format_bytes", "format_pico_time", "found_rows",
    "from_base64", "from_days", "from_unixtime", "from_vector", "geomcollection",
    "geomcollfromtext", "geometrycollection", "geometryfromtext", "geometryn",
    "geometrytype", "geomfromtext", "geomfromwkb", "get_dd_create_options", "get_format",
    "get_lock", "glength", "greatest", "group_concat", "grouping", "gtid_subset",
    "gtid_subtract", "hex", "hour", "icu_version", "if", "ifnull", "inet6_aton",
    "inet6_ntoa", "inet_aton", "inet_ntoa", "insert", "instr", "interiorringn",
    "internal_table_rows", "intersects", "interval", "is_free_lock", "is_ipv4",
    "is_ipv4_compat", "is_ipv4_mapped", "is_ipv6", "is_used_lock", "is_uuid", "isclosed",
    "isempty", "isnull", "issimple", "json_array", "json_array_append", "json_array_insert",
    "json_array_intersect", "json_arrayagg", "json_compact", "json_contains",
    "json_contains_path", "json_depth", "json_detailed", "json_equals", "json_exists",
    "json_extract", "json_insert", "json_key_value", "json_keys", "json_length",
    "json_loose", "json_merge", "json_merge_patch", "json_merge_preserve", "json_normalize",
    "json_object", "json_object_filter_keys", "json_object_to_array", "json_objectagg",
    "json_overlaps", "json_pretty", "json_query", "json_quote", "json_remove",
    "json_replace", "json_schema_valid", "json_schema_validation_report", "json_search",
    "json_set", "json_storage_free", "json_storage_size", "json_table", "json_type",
    "json_unquote", "json_valid", "json_value", "kdf", "lag", "last_day", "last_insert_id",
    "last_value", "lastval", "lcase", "lead", "least", "left", "length", "lengthb",
    "linefromtext", "linefromwkb", "linestring", "ln", "load_file", "localtime",
    "localtimestamp", "locate", "log", "log10", "log2", "lower", "lpad", "lpad_oracle",
    "ltrim", "ltrim_oracle", "make_set", "makedate", "maketime", "master_gtid_wait",
    "master_pos_wait", "match", "max", "md5", "median", "member", "microsecond", "mid",
    "min", "minute", "mlinefromtext", "mod", "mode", "month", "monthname", "mpointfromtext",
    "mpolyfromtext", "multilinestring", "multipoint", "multipolygon", "name_const",
    "natural_sort_key", "nextval", "not", "now", "nth_value", "ntile", "nullif",
    "numgeometries", "numinteriorrings", "numpoints", "nvl", "nvl2", "oct", "octet_length",
    "old_password", "ord", "overlaps", "password", "percent_rank", "percentile_cont",
    "percentile_disc", "period_add", "period_diff", "pi", "point", "pointfromtext",
    "pointfromwkb", "pointn", "pointonsurface", "polyfromtext", "polyfromwkb", "polygon",
    "position", "pow", "power", "ps_current_thread_id", "ps_thread_id", "quarter", "quote",
    "radians", "rand", "random", "random_bytes", "rank", "regexp_instr", "regexp_like",
    "regexp_replace", "regexp_substr", "release_all_locks", "release_lock", "repeat",
    "replace", "replace_oracle", "reverse", "right", "roles_graphml", "round", "row",
    "row_count", "row_number", "rownum", "rpad", "rpad_oracle", "rtrim", "rtrim_oracle",
    "schema", "schemas", "sec_to_time", "second", "session_user", "setval", "sformat",
    "sha", "sha1", "sha2", "sign", "sin", "sleep", "some", "soundex", "source_pos_wait",
    "space", "sqrt", "srid", "startpoint", "statement_digest", "statement_digest_text",
    "std", "stddev", "stddev_pop", "stddev_samp", "str_to_date", "strcmp",
    "string_to_vector", "subdate", "substr", "substr_oracle", "substring",
    "substring_index", "substring_oracle", "subtime", "sum", "sys_guid", "sysdate",
    "system_user", "tan", "time", "time_format", "time_to_sec", "timediff", "timestamp",
    "timestampadd", "timestampdiff", "to_base64", "to_char", "to_date", "to_days",
    "to_number", "to_seconds", "to_vector", "touches", "trim", "trim_oracle", "truncate",
    "ucase", "uncompress", "uncompressed_length", "unhex", "unix_timestamp", "updatexml",
    "upper", "user", "utc_date", "utc_time", "utc_timestamp", "uuid", "uuid_short",
    "uuid_to_bin", "uuid_v4", "uuid_v7", "validate_password_strength", "value", "values",
    "var_pop", "var_samp", "variance", "vec_distance", "vec_distance_cosine",
    "vec_distance_euclidean", "vec_fromtext", "vec_totext", "vector_dim",
    "vector_to_string", "version", "wait_for_executed_gtid_set", "week", "weekday",
    "weekofyear", "weight_string", "within", "wsrep_last_seen_gtid",
    "wsrep_last_written_gtid", "wsrep_sync_wait", "wsrep_sync_wait_upto_gtid", "x", "y",
    "year", "yearweek",
];

/// Of those, what no MySQL has: a function of that name is a stored one there, such as the `nextval` that
/// applications write for want of sequences. (What MySQL 5.7 still had isn't among them.) Sorted.
#[rustfmt::skip]
const MARIADB_ALONE: [&str; 64] = [
    "add_months", "binlog_gtid_pos", "chr", "column_add", "column_check",
    "column_create", "column_delete", "column_exists", "column_get", "column_json",
    "column_list", "concat_operator", "concat_operator_oracle", "crc32c",
    "decode_histogram", "decode_oracle", "json_array_intersect", "json_compact",
    "json_detailed", "json_equals", "json_exists", "json_key_value", "json_loose",
    "json_normalize", "json_object_filter_keys", "json_object_to_array", "json_query",
    "kdf", "lastval", "lengthb", "lpad_oracle", "ltrim_oracle", "master_gtid_wait",
    "median", "natural_sort_key", "nextval", "nvl", "nvl2", "percentile_cont",
    "percentile_disc", "replace_oracle", "rownum", "rpad_oracle", "rtrim_oracle",
    "setval", "sformat", "substr_oracle", "substring_oracle", "sys_guid", "to_char",
    "to_date", "to_number", "trim_oracle", "uuid_v4", "uuid_v7", "vec_distance",
    "vec_distance_cosine", "vec_distance_euclidean", "vec_fromtext", "vec_totext",
    "wsrep_last_seen_gtid", "wsrep_last_written_gtid", "wsrep_sync_wait",
    "wsrep_sync_wait_upto_gtid",
];

/// And what no MariaDB has. Sorted.
#[rustfmt::skip]
const MYSQL_ALONE: [&str; 30] = [
    "any_value", "bin_to_uuid", "distance", "format_bytes", "format_pico_time",
    "from_vector", "get_dd_create_options", "gtid_subset", "gtid_subtract",
    "icu_version", "internal_table_rows", "is_uuid", "json_schema_validation_report",
    "json_storage_free", "json_storage_size", "member", "ps_current_thread_id",
    "ps_thread_id", "regexp_like", "roles_graphml", "source_pos_wait",
    "statement_digest", "statement_digest_text", "string_to_vector", "to_vector",
    "uuid_to_bin", "validate_password_strength", "vector_dim", "vector_to_string",
    "wait_for_executed_gtid_set",
];

/// Whether a server of this kind has this function itself; in lower case, without a schema.
pub fn is_native(name: &str, server: ServerKind) -> bool {
    let others: &[&str] = match server {
        ServerKind::MySql => &MARIADB_ALONE,
        ServerKind::MariaDb => &MYSQL_ALONE,
    };
    let known =
        name.starts_with("st_") || name.starts_with("mbr") || NATIVE.binary_search(&name).is_ok();
    known && others.binary_search(&name).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_knows_what_is_common() {
        assert!(NATIVE.is_sorted());
        for some in [&MARIADB_ALONE[..], &MYSQL_ALONE] {
            assert!(some.is_sorted());
            assert!(some.iter().all(|name| NATIVE.binary_search(name).is_ok()));
        }
        for name in
            ["count", "concat", "json_value", "now", "st_distance", "if", "repeat", "timestampdiff"]
        {
            assert!(is_native(name, ServerKind::MySql), "{name}");
            assert!(is_native(name, ServerKind::MariaDb), "{name}");
        }
        assert!(!is_native("my_function", ServerKind::MySql));
        for (name, server, other) in [
            ("any_value", ServerKind::MySql, ServerKind::MariaDb),
            ("nextval", ServerKind::MariaDb, ServerKind::MySql),
            ("nvl", ServerKind::MariaDb, ServerKind::MySql),
        ] {
            assert!(is_native(name, server) && !is_native(name, other), "{name}");
        }
    }
}
