"""Writes known_answers.h: what every implementation of random.h must give. Independent of random.h: Philox 4x32-10 from the paper in Python
integers (checked against the published Random123 vectors), floats by the textbook formulas in float64.

usage: known_answers.py > known_answers.h
"""
import math

MASK = 0xFFFFFFFF


def philox(counter, key):
    c, k = list(counter), [key & MASK, key >> 32]
    for _ in range(10):
        p0, p1 = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & MASK, p0 >> 32 ^ c[3] ^ k[1], p0 & MASK]
        k = [k[0] + 0x9E3779B9 & MASK, k[1] + 0xBB67AE85 & MASK]
    return c


def derive(key, domain, value):
    tag = domain << 48 | value
    low, high = philox([tag & MASK, tag >> 32, 0x756E6368, MASK], key)[:2]
    return high << 32 | low


def word(key, sample, element, block):
    return philox([block, element // 4, sample & MASK, sample >> 32], key)[element % 4]


def uniform(bits):
    return (bits >> 8 | 1) / 2**24


def normal(key, sample, element, block):
    radius = math.sqrt(-2 * math.log(uniform(word(key, sample, element & ~1, block))))
    angle = 2 * math.pi * uniform(word(key, sample, element | 1, block))
    return radius * (math.sin(angle) if element & 1 else math.cos(angle))


PUBLISHED = [([0] * 4, 0, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
             ([MASK] * 4, 2**64 - 1, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
             ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], 0x299F31D0A4093822, [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1])]
DERIVATIONS = [(0, 1, 0), (2**64 - 1, 0x8001, 2**48 - 1), (0x0123456789ABCDEF, 6, 17)]
DRAWS = [(0, 0, 0, 0), (1, 2, 3, 4), (0x0123456789ABCDEF, (5 << 40) + 3, 1023, 0), (2**64 - 1, 2**63 - 1, MASK, MASK),
         (42, 7, 0, 0), (42, 7, 1, 0), (42, 7, 2, 0), (42, 7, 3, 0), (42, 7, 0, 1)]


def words(values):
    return ", ".join(f"0x{value:08x}u" for value in values)


def main():
    for counter, key, expected in PUBLISHED:
        assert philox(counter, key) == expected
    print("/* Known answers of unchannel/random.h, written by known_answers.py: do not edit. */\n/* clang-format off */")
    print("#ifndef KNOWN_ANSWERS_H\n#define KNOWN_ANSWERS_H\n#include <stdint.h>\n")
    print("typedef struct known_block {\n  uint32_t counter[4];\n  uint64_t key;\n  uint32_t words[4];\n} known_block;")
    print("/* Published with Random123 (kat_vectors). */\nstatic const known_block kKnownBlocks[] = {")
    print(",\n".join(f"    {{{{{words(counter)}}}, 0x{key:016x}u, {{{words(expected)}}}}}" for counter, key, expected in PUBLISHED) + "};\n")
    print("typedef struct known_key {\n  uint64_t key;\n  uint32_t domain;\n  uint64_t value, derived;\n} known_key;")
    print("static const known_key kKnownKeys[] = {")
    print(",\n".join(f"    {{0x{k:016x}u, 0x{d:x}u, 0x{v:x}u, 0x{derive(k, d, v):016x}u}}" for k, d, v in DERIVATIONS) + "};\n")
    print("/* uniform is exact in float32; normal is the float64 value of the formula. */")
    print("typedef struct known_draw {\n  uint64_t key, id;\n  uint32_t element, block, word;\n  double uniform, normal;\n} known_draw;")
    print("static const known_draw kKnownDraws[] = {")
    print(",\n".join(f"    {{0x{k:016x}u, 0x{i:016x}u, 0x{e:x}u, 0x{b:x}u, 0x{word(k, i, e, b):08x}u, {uniform(word(k, i, e, b))!r}, "
                     f"{normal(k, i, e, b)!r}}}" for k, i, e, b in DRAWS) + "};\n")
    print("#endif")


if __name__ == "__main__":
    main()
