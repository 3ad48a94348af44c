use super::hash::{crc32, java_long, java_string, murmur3, xxh64};

/// Published test vectors: these functions decide where rows live for ever.
#[test]
fn hashes_are_the_published_ones() {
    assert_eq!(xxh64(b""), 0xef46_db37_51d8_e999);
    assert_eq!(xxh64(b"a"), 0xd24e_c4f1_a98c_6e5b);
    assert_eq!(xxh64(b"abc"), 0x44bc_2cf5_ad77_0999);
    assert_eq!(xxh64(b"Nobody inspects the spammish repetition"), 0xfbce_a83c_8a37_8bf1);
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    assert_eq!(murmur3(b""), 0);
    assert_eq!(murmur3(b"hello"), 0x248b_fa47);
    assert_eq!(murmur3(b"hello, world"), 0x149b_bb7f);
    assert_eq!(murmur3(b"The quick brown fox jumps over the lazy dog"), 0x2e4f_f723);
    assert_eq!(java_string("hello"), 99_162_322);
    assert_eq!(java_string("polygenelubricants"), i32::MIN);
    assert_eq!(java_long(-1), 0);
    assert_eq!(java_long(5_000_000_000), 705_032_705);
}
