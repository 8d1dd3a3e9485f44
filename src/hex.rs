//! Hexadecimal (RFC 4648 §8): read in either case, written in lower case.

/// Reads `N` bytes: two digits for each, and nothing besides.
#[must_use]
pub fn read<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = read_pair(*high, *low)?;
    }
    Some(bytes)
}

/// The byte that two digits stand for.
#[must_use]
pub fn read_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(high)?.checked_mul(16)?.checked_add(digit(low)?)?;
    u8::try_from(value).ok()
}

/// Writes bytes, two digits for each.
#[must_use]
pub fn write(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    text.extend(bytes.iter().flat_map(|byte| write_pair(*byte)).map(char::from));
    text
}

/// The two digits of a byte.
#[must_use]
pub fn write_pair(byte: u8) -> [u8; 2] {
    let digit = |nibble: u8| match nibble {
        0..=9 => nibble.wrapping_add(b'0'),
        _ => nibble.wrapping_sub(10).wrapping_add(b'a'),
    };
    [digit(byte >> 4), digit(byte & 0x0f)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    test!(every_byte_is_read_as_it_was_written, {
        for byte in 0..=u8::MAX {
            let text = write(&[byte]);
            assert_eq!(text, format!("{byte:02x}"));
            assert_eq!(read(text.as_bytes()), Some([byte]));
            assert_eq!(read(text.to_ascii_uppercase().as_bytes()), Some([byte]));
        }
        assert_eq!((write(&[]).as_str(), read(b"")), ("", Some([])));
        assert_eq!(write(&[0x00, 0xff, 0x7f]), "00ff7f");
        assert_eq!(read(b"00fF7F"), Some([0x00, 0xff, 0x7f]));
    });

    test!(nothing_but_digits_is_read, {
        let is_digit = |byte: u8| b"0123456789abcdefABCDEF".contains(&byte);
        for byte in 0..=u8::MAX {
            assert_eq!(read_pair(byte, b'0').is_some(), is_digit(byte), "{byte}");
            assert_eq!(read_pair(b'0', byte).is_some(), is_digit(byte), "{byte}");
        }
    });

    test!(a_digest_has_64_digits, {
        let text = "00ff7F80".repeat(8);
        let digest: [u8; 32] = read(text.as_bytes()).unwrap();
        assert_eq!(digest[..4], [0x00, 0xff, 0x7f, 0x80]);
        assert_eq!(write(&digest), text.to_lowercase());
        let (longer, spaced) = (format!("{text}0"), format!(" {} ", &text[2..]));
        let (letter, sign) = (text.replace("7F", "7G"), text.replace("7F", "+F"));
        for bad in ["", &text[1..], &text[2..], &longer, &format!("{longer}0"), &spaced, &letter, &sign] {
            assert_eq!(read::<32>(bad.as_bytes()), None, "{bad}");
        }
    });
}
