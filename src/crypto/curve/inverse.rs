//! Inverses modulo odd numbers, of numbers that are public, by Bernstein and Yang's divsteps ("Fast constant-time
//! gcd computation and modular inversion", 2019), in the variable-time form that libsecp256k1 has for 32 bits
//! (doc/safegcd_implementation.md there, which explains d, e, f, g, u, v, q, r).

use super::words::{self, WORD_BITS, Words};

/// A number in words like [`Words`], the highest of which has the number's sign.
type Signed<const N: usize> = [i32; N];

/// An odd modulus, at least 4 bits shorter than its words.
pub(in crate::crypto) struct Modulus<const N: usize> {
    words: Words<N>,
    /// Its inverse modulo 2^30.
    inverse: i32,
}

impl<const N: usize> Modulus<N> {
    pub(in crate::crypto) const fn new(words: Words<N>) -> Self {
        let lowest = match words.as_slice() {
            [lowest, ..] => *lowest as i32,
            [] => 1,
        };
        // An odd number is its own inverse modulo 8, and each step doubles the bits that are right.
        let mut inverse = lowest;
        let mut bits = 3_usize;
        while bits < WORD_BITS {
            inverse = inverse.wrapping_mul(2_i32.wrapping_sub(lowest.wrapping_mul(inverse)));
            bits = bits.wrapping_mul(2);
        }
        Self { words, inverse: inverse & WORD_MASK }
    }

    pub(in crate::crypto) const fn words(&self) -> &Words<N> {
        &self.words
    }

    /// Minus its inverse modulo 2^30.
    pub(in crate::crypto) const fn negated_inverse(&self) -> i32 {
        self.inverse.wrapping_neg() & WORD_MASK
    }

    /// 2^`exponent` modulo it: for constants.
    pub(in crate::crypto) const fn power_of_two(&self, exponent: usize) -> Words<N> {
        let mut power = words::from_hex("1");
        let mut left = exponent;
        while left > 0 {
            words::append(&mut power, 1, 0);
            let mut less = power;
            if !words::subtract(&mut less, &self.words) {
                power = less;
            }
            left = left.wrapping_sub(1);
        }
        power
    }

    fn signed(&self) -> Signed<N> {
        self.words.map(|word| word as i32)
    }
}

/// The inverse of a number below the modulus; 0 if the number is 0.
pub(in crate::crypto) fn inverse<const N: usize>(number: &Words<N>, modulus: &Modulus<N>) -> Words<N> {
    let (mut d, mut e) = ([0; N], words::from_hex("1").map(|word: u32| word as i32));
    let (mut f, mut g) = (modulus.signed(), number.map(|word| word as i32));
    let mut eta = -1;
    while g != [0; N] {
        let matrix = Matrix::of_divsteps(&mut eta, lowest(&f), lowest(&g));
        matrix.apply_modulo(&mut d, &mut e, modulus);
        matrix.apply(&mut f, &mut g, modulus);
    }
    // f is 1 or -1 now, and d times the number is f. d is above -2 and below 1 times the modulus.
    if sign(&f) < 0 {
        d = d.map(i32::wrapping_neg);
    }
    d = add(&d, &[0; N]);
    while sign(&d) < 0 {
        d = add(&d, &modulus.signed());
    }
    let less = add(&d, &modulus.signed().map(i32::wrapping_neg));
    if sign(&less) == 0 {
        d = less;
    }
    d.map(|word| word as u32)
}

/// What 30 divsteps do to f and g (and to d and e): 2^30 times the new f is `u` f + `v` g, and that of g `q` f + `r` g.
struct Matrix {
    u: i32,
    v: i32,
    q: i32,
    r: i32,
}

impl Matrix {
    /// The lowest words of f and g decide.
    fn of_divsteps(eta: &mut i32, f: i32, g: i32) -> Self {
        let (mut f, mut g) = (f, g);
        let (mut u, mut v, mut q, mut r) = (1_i32, 0_i32, 0_i32, 1_i32);
        let mut left = WORD_BITS as u32;
        loop {
            // As many divsteps as g has zeros only halve it.
            let zeros = (g as u32 | u32::MAX.wrapping_shl(left)).trailing_zeros();
            g = g.wrapping_shr(zeros);
            u = u.wrapping_shl(zeros);
            v = v.wrapping_shl(zeros);
            *eta = eta.wrapping_sub_unsigned(zeros);
            left = left.wrapping_sub(zeros);
            if left == 0 {
                return Self { u, v, q, r };
            }
            if *eta < 0 {
                *eta = eta.wrapping_neg();
                (f, g) = (g, f.wrapping_neg());
                (u, q) = (q, u.wrapping_neg());
                (v, r) = (r, v.wrapping_neg());
            }
            // The multiple of f that clears so many of g's lowest bits, 6 at most: f (f^2 - 2) is -1/f modulo 64.
            let bits = eta.wrapping_add(1).min(left as i32).min(6);
            let mask = 1_i32.wrapping_shl(bits as u32).wrapping_sub(1);
            let w = f.wrapping_mul(g).wrapping_mul(f.wrapping_mul(f).wrapping_sub(2)) & mask;
            g = g.wrapping_add(f.wrapping_mul(w));
            q = q.wrapping_add(u.wrapping_mul(w));
            r = r.wrapping_add(v.wrapping_mul(w));
        }
    }

    /// For f and g, which it divides by 2^30 exactly.
    fn apply<const N: usize>(&self, f: &mut Signed<N>, g: &mut Signed<N>, modulus: &Modulus<N>) {
        self.combine(f, g, modulus, (0, 0));
    }

    /// For d and e, above -2 and below 1 times the modulus, with as many times the modulus as keep them there and make
    /// them divisible.
    fn apply_modulo<const N: usize>(&self, d: &mut Signed<N>, e: &mut Signed<N>, modulus: &Modulus<N>) {
        let (d_sign, e_sign) = (sign(d), sign(e));
        let (d_lowest, e_lowest) = (lowest(d), lowest(e));
        let multiple = |a: i32, b: i32| {
            let least = (a & d_sign).wrapping_add(b & e_sign);
            let lowest = a.wrapping_mul(d_lowest).wrapping_add(b.wrapping_mul(e_lowest));
            least.wrapping_sub(modulus.inverse.wrapping_mul(lowest).wrapping_add(least) & WORD_MASK)
        };
        let multiples = (multiple(self.u, self.v), multiple(self.q, self.r));
        self.combine(d, e, modulus, multiples);
    }

    #[inline(never)]
    fn combine<const N: usize>(
        &self,
        a: &mut Signed<N>,
        b: &mut Signed<N>,
        modulus: &Modulus<N>,
        multiples: (i32, i32),
    ) {
        let (mut a_sum, mut b_sum) = (0_i64, 0_i64);
        // The lowest words become zero, and the rest moves down.
        let (mut a_lower, mut b_lower) = (&mut 0, &mut 0);
        for ((a_word, b_word), word) in a.iter_mut().zip(b.iter_mut()).zip(modulus.words) {
            let products = dot((self.u, *a_word), (self.v, *b_word), (multiples.0, word as i32));
            a_sum = a_sum.wrapping_add(products);
            let products = dot((self.q, *a_word), (self.r, *b_word), (multiples.1, word as i32));
            b_sum = b_sum.wrapping_add(products);
            *a_lower = a_sum as i32 & WORD_MASK;
            *b_lower = b_sum as i32 & WORD_MASK;
            (a_lower, b_lower) = (a_word, b_word);
            a_sum >>= WORD_BITS;
            b_sum >>= WORD_BITS;
        }
        *a_lower = a_sum as i32;
        *b_lower = b_sum as i32;
    }
}

fn dot(a: (i32, i32), b: (i32, i32), c: (i32, i32)) -> i64 {
    [a, b, c].into_iter().fold(0, |sum, (a, b)| i64::from(a).wrapping_mul(b.into()).wrapping_add(sum))
}

#[inline(never)]
fn add<const N: usize>(a: &Signed<N>, b: &Signed<N>) -> Signed<N> {
    let mut sum = *a;
    let mut carry = 0_i32;
    for (word, other) in sum.iter_mut().zip(b) {
        carry = carry.wrapping_add(*word).wrapping_add(*other);
        *word = carry & WORD_MASK;
        carry >>= WORD_BITS;
    }
    // The highest word keeps the sign.
    if let Some(highest) = sum.last_mut() {
        *highest |= carry.wrapping_shl(WORD_BITS as u32);
    }
    sum
}

fn lowest<const N: usize>(number: &Signed<N>) -> i32 {
    number.first().copied().unwrap_or_default()
}

/// -1 of a negative number, otherwise 0.
fn sign<const N: usize>(number: &Signed<N>) -> i32 {
    number.last().map_or(0, |highest| highest >> 31)
}

const WORD_MASK: i32 = (1 << WORD_BITS) - 1;
