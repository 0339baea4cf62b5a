"""The random numbers of unchannel for NumPy: the twin of unchannel/random.h, same integers and (IEEE float32) same bits.

Licence: Apache-2.0. Needs NumPy only. Philox 4x32-10 (Salmon et al., SC'11); NumPy's own Philox is 4x64.

    key = derive(key, tag(TAG_NOISE, 0))
    n = normal(key, ids, (D,))              # [B, D] float32; row i depends on (key, ids[i]) alone
    u = uniform(key, ids, (D,), block=3)    # [B, D] float32 in the open interval (0, 1)

Element e of a sample (C order of `shape`) owns word e % 4 of the Philox block with counter {block, e // 4, id_lo, id_hi}; a normal uses the
words of the pair (e, e ^ 1). ids are global sample numbers below 2**63, never places in a batch.
"""

import numpy as np

TAG_PURPOSE, TAG_OUTER_ITERATION, TAG_RESAMPLE, TAG_COMPOSE_STAGE, TAG_LATENT, TAG_NOISE, TAG_PLUGIN = 1, 2, 3, 4, 5, 6, 0x8000

_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_F = np.float32


def philox4x32_10(counter, key):
    """counter: [..., 4] of 32 bit words · key: int, 64 bit · returns [..., 4] uint32."""
    counter = np.asarray(counter, dtype=np.uint64)
    c0, c1, c2, c3 = (counter[..., i] for i in range(4))
    k0, k1 = int(key) & 0xFFFFFFFF, int(key) >> 32 & 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = p1 >> _SHIFT ^ c1 ^ np.uint64(k0), p1 & _MASK, p0 >> _SHIFT ^ c3 ^ np.uint64(k1), p0 & _MASK
        k0, k1 = k0 + 0x9E3779B9 & 0xFFFFFFFF, k1 + 0xBB67AE85 & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def tag(domain, value):
    """domain: 16 bit (TAG_PLUGIN and above are free) · value: 48 bit."""
    return (int(domain) & 0xFFFF) << 48 | int(value) & 0xFFFFFFFFFFFF


def derive(key, tag64):
    """The key for one purpose, from a parent key: 64 bit int."""
    words = philox4x32_10([tag64 & 0xFFFFFFFF, tag64 >> 32, 0x756E6368, 0xFFFFFFFF], key)
    return int(words[1]) << 32 | int(words[0])


def words(key, ids, count, block=0, element0=0):
    """32 uniform bits for elements element0 … element0 + count - 1 of every sample · returns [B, count] uint32."""
    ids = np.atleast_1d(np.asarray(ids, dtype=np.uint64))
    first, last = element0 // 4, (element0 + count + 3) // 4
    counter = np.zeros((len(ids), last - first, 4), dtype=np.uint64)
    counter[..., 0] = block
    counter[..., 1] = np.arange(first, last, dtype=np.uint64)
    counter[..., 2] = (ids & _MASK)[:, None]
    counter[..., 3] = (ids >> _SHIFT)[:, None]
    return philox4x32_10(counter, key).reshape(len(ids), -1)[:, element0 - 4 * first:][:, :count]


def below(word, count):
    """0 … count - 1 from 32 bit words."""
    return (np.asarray(word, dtype=np.uint64) * np.uint64(count) >> _SHIFT).astype(np.uint32)


def uniform(key, ids, shape=(), block=0):
    """Odd multiples of 2^-24 · returns [B, *shape] float32."""
    shape = tuple(np.atleast_1d(shape)) if np.ndim(shape) else (tuple(shape) if shape == () else (int(shape),))
    count = int(np.prod(shape, dtype=np.int64))
    return (_odd(words(key, ids, count, block)).astype(_F) * _F(2.0 ** -24)).reshape((-1, *shape))


def normal(key, ids, shape=(), block=0):
    """Standard normals by Box-Muller · returns [B, *shape] float32, |n| < 5.77."""
    shape = tuple(np.atleast_1d(shape)) if np.ndim(shape) else (tuple(shape) if shape == () else (int(shape),))
    count = int(np.prod(shape, dtype=np.int64))
    pairs = _odd(words(key, ids, count + count % 2, block)).reshape(-1, (count + 1) // 2, 2)
    radius = np.sqrt(_minus_two_log(pairs[..., 0]))
    cosine, sine = _cos_sin_turn(pairs[..., 1])
    return np.stack([radius * cosine, radius * sine], axis=-1).reshape(len(pairs), -1)[:, :count].reshape((-1, *shape))


def _odd(word):
    return (word >> np.uint32(8) | np.uint32(1)).astype(np.int32)


def _minus_two_log(odd):
    """-2 ln(odd * 2^-24), the same float32 operations in the same order as in random.h."""
    bits = odd.astype(_F).view(np.int32)
    exponent = bits - np.int32(0x3F3504F3) >> np.int32(23)
    m = (bits - exponent * np.int32(0x00800000)).view(_F)
    s = (m - _F(1)) / (m + _F(1))
    s2 = s * s
    series = s2 * (_F(1) / _F(9)) + _F(1) / _F(7)
    series = s2 * series + _F(1) / _F(5)
    series = s2 * series + _F(1) / _F(3)
    series = s2 * s * series + s
    return (np.int32(24) - exponent).astype(_F) * _F(1.386294361) - series * _F(4)


def _cos_sin_turn(odd):
    """cos and sin of 2 pi odd * 2^-24."""
    quarter = odd + np.int32(0x200000) >> np.int32(22)
    a = (odd - quarter * np.int32(0x400000)).astype(_F) * _F(3.745070282e-7)
    a2 = a * a
    s = a2 * (_F(1) / _F(362880)) - _F(1) / _F(5040)
    s = a2 * s + _F(1) / _F(120)
    s = a2 * s - _F(1) / _F(6)
    s = a2 * a * s + a
    c = a2 * (_F(1) / _F(40320)) - _F(1) / _F(720)
    c = a2 * c + _F(1) / _F(24)
    c = a2 * c - _F(0.5)
    c = a2 * c + _F(1)
    swap = (quarter & 1).astype(bool)
    cosine = np.where(swap, s, c) * np.where(quarter + 1 & 2, _F(-1), _F(1))
    sine = np.where(swap, c, s) * np.where(quarter & 2, _F(-1), _F(1))
    return cosine, sine
