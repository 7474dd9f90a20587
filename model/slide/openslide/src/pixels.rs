//! The library's pixels: 32 bits in the machine's byte order, alpha highest, colours multiplied by it.

/// As red, green, blue, alpha, with colours as they are; clear pixels are white.
pub(crate) fn rgba(pixels: &[u32]) -> Vec<u8> {
    pixels.iter().flat_map(|&pixel| straight(pixel)).collect()
}

fn straight(pixel: u32) -> [u8; 4] {
    let [alpha, red, green, blue] = pixel.to_be_bytes();
    match alpha {
        255 => [red, green, blue, 255],
        0 => [255, 255, 255, 0],
        _ => {
            let divided = |color: u8| {
                let value = (u32::from(color) * 255 + u32::from(alpha) / 2) / u32::from(alpha);
                u8::try_from(value).unwrap_or(u8::MAX)
            };
            [divided(red), divided(green), divided(blue), alpha]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_divided_by_their_alpha() {
        assert_eq!(rgba(&[0xFF01_0203, 0x8040_2010]), [1, 2, 3, 255, 128, 64, 32, 128]);
        assert_eq!(rgba(&[0, 0x10FF_0000]), [255, 255, 255, 0, 255, 0, 0, 16]);
    }
}
