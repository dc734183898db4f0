#!/usr/bin/env python3
"""Strict conformance check of one Parquet file.

    check_file.py FILE [--any-schema] [--root NAME] [--no-require crc,page_index,...]
                       [--reader-python /other/venv/bin/python ...] [--parquet-tools DIR_OR_WRAPPER] [--readers a,b]
                       [--json] [--queries]

Part 1 (no library): parses the bytes itself (Thrift compact, page headers, Snappy through cramjam, all encodings) and
    checks layout, sizes, offsets, CRC, encodings, statistics, page index, bloom filters, sorting, schema. Of each leaf,
    nested ones too, it makes a content hash.
Part 2: reads the file with every installed reader (engines.py: pyarrow with CRC verification, duckdb, polars,
    fastparquet, datafusion, chdb, daft, pyspark; arrow's parquet-reader/parquet-scan when given) and compares row count
    and content hash of each leaf. Where NaN may stand in an OPTIONAL column, fastparquet's cannot be told from null;
    that is a note.
Part 3 (--queries): filter queries through each reader with pruning, against a brute-force answer.
Many files at once: judge_files.py.
The last line is 'N passed, N failed'. Exit status 1 when anything failed.
"""

import argparse, hashlib, json, math, os, re, struct, subprocess, sys, zlib
import numpy as np

TYPES = ["BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"]
ENCS = {
    0: "PLAIN",
    2: "PLAIN_DICTIONARY",
    3: "RLE",
    4: "BIT_PACKED",
    5: "DELTA_BINARY_PACKED",
    6: "DELTA_LENGTH_BYTE_ARRAY",
    7: "DELTA_BYTE_ARRAY",
    8: "RLE_DICTIONARY",
    9: "BYTE_STREAM_SPLIT",
    10: "ALP",
}
CODECS = ["UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"]
STR, TSU = "STRING", "TIMESTAMP(MILLIS,UTC)"
CLOUDZERO = [
    [n, "BYTE_ARRAY", STR]
    for n in ("cluster_name", "cloud_account_id", "year", "month", "day", "hour", "metric_name", "node_name")
] + [
    ["created_at", "INT64", TSU],
    ["timestamp", "INT64", TSU],
    ["labels", "BYTE_ARRAY", STR],
    ["value", "BYTE_ARRAY", STR],
]


class Bad(Exception):
    pass


ok, failed, notes = [], [], []


def check(name, cond, detail=""):
    (ok if cond else failed).append((name, detail))
    return cond


# ------------------------------------------------------------------------------- Thrift compact reader
class R:
    def __init__(s, b, p=0):
        s.b, s.p = b, p

    def u8(s):
        if s.p >= len(s.b):
            raise Bad("thrift: past end")
        s.p += 1
        return s.b[s.p - 1]

    def uv(s):
        r = k = 0
        while True:
            c = s.u8()
            r |= (c & 127) << k
            k += 7
            if c < 128:
                return r
            if k > 63:
                raise Bad("thrift: varint too long")

    def zz(s):
        v = s.uv()
        return (v >> 1) ^ -(v & 1)

    def val(s, t, inlist=False):
        if t in (1, 2):
            return (s.u8() == 1) if inlist else t == 1
        if t == 3:
            v = s.u8()
            return v - 256 if v > 127 else v
        if t in (4, 5, 6):
            return s.zz()
        if t == 7:
            s.p += 8
            return struct.unpack("<d", s.b[s.p - 8 : s.p])[0]
        if t == 8:
            n = s.uv()
            if s.p + n > len(s.b):
                raise Bad("thrift: binary past end")
            s.p += n
            return bytes(s.b[s.p - n : s.p])
        if t in (9, 10):
            h = s.u8()
            n = h >> 4
            et = h & 15
            if n == 15:
                n = s.uv()
            return [s.val(et, True) for _ in range(n)]
        if t == 11:
            n = s.uv()
            if not n:
                return {}
            kt = s.u8()
            return {s.val(kt >> 4, True): s.val(kt & 15, True) for _ in range(n)}
        if t == 12:
            return s.struct()
        raise Bad(f"thrift: type {t}")

    def struct(s):
        out, fid = {}, 0
        while True:
            h = s.u8()
            if h == 0:
                return out
            fid = fid + (h >> 4) if h >> 4 else s.zz()
            if fid in out:
                raise Bad(f"thrift: field {fid} twice")
            out[fid] = s.val(h & 15)


# ------------------------------------------------------------------------------- decoders (numpy)
def unpack(b, n, w):
    if w == 0:
        return np.zeros(n, np.int64)
    need = (n * w + 7) // 8
    if len(b) < need:
        raise Bad("bit-packed data too short")
    bits = np.unpackbits(np.frombuffer(b, np.uint8, need), bitorder="little")[: n * w].reshape(n, w)
    return (bits.astype(np.uint64) << np.arange(w, dtype=np.uint64)).sum(1, dtype=np.uint64).view(np.int64)


def rle_hybrid(b, w, n, strict):
    out, got, r, vb = [], 0, R(b), (w + 7) // 8
    while got < n:
        h = r.uv()
        if h & 1:
            g = h >> 1
            k = g * w
            d = b[r.p : r.p + k]
            if len(d) < k:
                raise Bad(f"bit-packed run truncated: {len(d)} of {k} bytes")
            if g == 0:
                raise Bad("empty bit-packed run")
            v = unpack(d, g * 8, w)
            r.p += k
            if got + len(v) > n:
                if got + len(v) - n >= 8:
                    strict("bit-packed run has a whole surplus group")
                if v[n - got :].any():
                    strict("padding of the last bit-packed group is not zero")
                v = v[: n - got]
            out.append(v)
            got += len(v)
        else:
            k = h >> 1
            if k == 0:
                raise Bad("empty RLE run")
            v = int.from_bytes(b[r.p : r.p + vb], "little")
            r.p += vb
            if got + k > n:
                raise Bad("RLE run past the page's num_values")
            if w < 64 and v >> w:
                raise Bad("RLE value wider than bit width")
            out.append(np.full(k, v, np.int64))
            got += k
    if r.p != len(b):
        strict(f"{len(b) - r.p} bytes after the last run")
    return np.concatenate(out) if out else np.zeros(0, np.int64)


def delta_bp(b, p, bits, strict):
    r = R(b, p)
    blk, mini, n = r.uv(), r.uv(), r.uv()
    first = r.zz()
    if blk % 128 or not mini or (blk // mini) % 32:
        raise Bad(f"delta: block {blk} / {mini}")
    per = blk // mini
    U = np.uint64 if bits == 64 else np.uint32
    Sg = np.int64 if bits == 64 else np.int32
    vals = [np.array([first & ((1 << bits) - 1)], np.uint64).astype(U)] if n else []
    left = n - 1
    while left > 0:
        mn = r.zz()
        ws = b[r.p : r.p + mini]
        r.p += mini
        for k in range(mini):
            if left <= 0:
                if ws[k]:
                    strict("delta: unused miniblock has a non-zero width")
                continue
            w = ws[k]
            if w > bits:
                raise Bad("delta: width")
            v = unpack(b[r.p : r.p + per * w // 8], per, w)
            r.p += per * w // 8
            m = min(left, per)
            vals.append((v.view(np.uint64)[:m].astype(U) + np.array([mn & ((1 << bits) - 1)], np.uint64).astype(U)))
            left -= m
    a = np.cumsum(np.concatenate(vals), dtype=U).view(Sg).astype(np.int64) if vals else np.zeros(0, np.int64)
    return a, r.p


class BA:
    """byte strings: offsets + data"""

    def __init__(s, off, data):
        s.off, s.data = off, data

    def __len__(s):
        return len(s.off) - 1

    def items(s):
        d, o = s.data.tobytes(), s.off.tolist()
        return [d[o[i] : o[i + 1]] for i in range(len(o) - 1)]

    def take(s, ids):
        ln = np.diff(s.off)[ids]
        off = np.zeros(len(ids) + 1, np.int64)
        np.cumsum(ln, out=off[1:])
        idx = np.repeat(s.off[ids] - off[:-1], ln) + np.arange(off[-1])
        return BA(off, s.data[idx])

    def plain(s):
        n = len(s)
        ln = np.diff(s.off)
        out = np.empty(int(s.off[-1] - s.off[0]) + 4 * n, np.uint8)
        st = s.off[:-1] - s.off[0] + 4 * np.arange(n)
        m = np.ones(len(out), bool)
        for k in range(4):
            out[st + k] = (ln >> 8 * k) & 255
            m[st + k] = False
        out[m] = s.data[s.off[0] : s.off[-1]]
        return out


def ba_from_lens(ln, b, p):
    if (ln < 0).any():
        raise Bad("negative length")
    off = np.zeros(len(ln) + 1, np.int64)
    np.cumsum(ln, out=off[1:])
    if p + off[-1] > len(b):
        raise Bad("byte array data too short")
    return BA(off, np.frombuffer(b, np.uint8, int(off[-1]), p)), p + int(off[-1])


def plain_ba(b, n):
    off, p, lens = [], 0, np.empty(n, np.int64)
    mv = b
    starts = np.empty(n, np.int64)
    for i in range(n):
        if p + 4 > len(mv):
            raise Bad("PLAIN: length past end")
        k = mv[p] | mv[p + 1] << 8 | mv[p + 2] << 16 | mv[p + 3] << 24
        starts[i] = p + 4
        lens[i] = k
        p += 4 + k
        if p > len(mv):
            raise Bad("PLAIN: value past end")
    o = np.zeros(n + 1, np.int64)
    np.cumsum(lens, out=o[1:])
    d = np.frombuffer(b, np.uint8)
    idx = np.repeat(starts - o[:-1], lens) + np.arange(o[-1])
    return BA(o, d[idx]), p


DT = {0: "?", 1: "<i4", 2: "<i8", 4: "<f4", 5: "<f8"}


def shapes_of(sch):
    """Path, largest definition and repetition level of each leaf, and the steps that lead there (`how_to_reach`); and
    how many fields the root has."""
    shapes, fields, open_groups = [], 0, []  # (path, definition, repetition, steps, element, children left)
    for e in sch[1:]:
        path, d, r, steps = open_groups[-1][:4] if open_groups else ([], 0, 0, [])
        fields += not open_groups
        steps = steps + [(e.get(3, 0), how_to_reach(e, open_groups))]
        path, d, r = path + [e[4]], d + (e.get(3) in (1, 2)), r + (e.get(3) == 2)
        if open_groups:
            open_groups[-1][5] -= 1
        if 5 in e:
            open_groups.append([path, d, r, steps, e, e[5]])
        else:
            shapes.append((path, d, r, steps))
        while open_groups and open_groups[-1][5] == 0:
            open_groups.pop()
    return shapes, fields


def how_to_reach(e, open_groups):
    """How Arrow's arrays lead from the element around `e` to `e`: see `engines.shredded`."""
    if not open_groups:
        return "self"
    around, left = open_groups[-1][4:]
    if e.get(3) == 2:
        return "items"
    kind = logical(open_groups[-2][4]) if len(open_groups) > 1 and around.get(3) == 2 else None
    if kind == "MAP":
        return "key" if left == 2 else "value"
    return "self" if kind == "LIST" and around[5] == 1 else f"field:{e[4].decode()}"


class LeafHash:
    """Content of a leaf, however it is cut into pages or batches: SHA-256 of its values as PLAIN has them; where rows
    may have none or several, of the hashes of repetition levels, definition levels (a byte each) and values."""

    def __init__(s, maxdef, maxrep):
        s.nested = maxdef or maxrep
        s.parts = [hashlib.sha256() for _ in range(3)]

    def levels(s, repetition, definition):
        if s.nested:
            s.parts[0].update(repetition.astype(np.uint8).tobytes())
            s.parts[1].update(definition.astype(np.uint8).tobytes())

    def values(s, plain):
        s.parts[2].update(plain)

    def hexdigest(s):
        if not s.nested:
            return s.parts[2].hexdigest()
        return hashlib.sha256(b"".join(x.digest() for x in s.parts)).hexdigest()


def split_levels(raw, n, maxdef, maxrep, strict):
    """Rows and values of a data page of version 1, the bytes behind its levels, and these: repetition, definition."""

    def take(raw, most):
        (size,) = struct.unpack("<I", raw[:4])
        if 4 + size > len(raw):
            raise Bad("levels longer than their page")
        return rle_hybrid(raw[4 : 4 + size], most.bit_length(), n, strict), raw[4 + size :]

    rows = values = n
    repetition = definition = np.zeros(n, np.uint8)
    if maxrep:
        repetition, raw = take(raw, maxrep)
        if len(repetition) and repetition[0]:
            raise Bad("a page begins within a row")
        if len(repetition) and int(repetition.max()) > maxrep:
            raise Bad("a repetition level beyond the largest")
        rows = int((repetition == 0).sum())
    if maxdef:
        definition, raw = take(raw, maxdef)
        if len(definition) and int(definition.max()) > maxdef:
            raise Bad("a definition level beyond the largest")
        values = int((definition == maxdef).sum())
    return rows, values, raw, (repetition, definition)


def decode(enc, ptype, b, n, dic, strict):
    if enc in (2, 8):
        if dic is None:
            raise Bad("dictionary-encoded page without a dictionary page")
        if n == 0:
            return None, np.zeros(0, np.int64)
        w = b[0]
        if w > 32:
            raise Bad("dictionary index width > 32")
        nd = len(dic)
        need = max(nd - 1, 0).bit_length()
        # Whole bytes are Snappy's to shrink: lists that repeat are found only at the same bit of a byte.
        if w != need and w != (need + 7) // 8 * 8:
            strict(f"index bit width {w}, {need} would do")
        ids = rle_hybrid(b[1:], w, n, strict)
        if len(ids) and int(ids.max()) >= nd:
            raise Bad("index beyond the dictionary")
        return (dic.take(ids) if isinstance(dic, BA) else dic[ids]), ids
    if enc == 0:
        if ptype == 6:
            v, p = plain_ba(b, n)
        elif ptype == 0:
            p = (n + 7) // 8
            v = np.unpackbits(np.frombuffer(b, np.uint8, p), bitorder="little")[:n].astype(bool)
        else:
            v = np.frombuffer(b, DT[ptype], n)
            p = v.nbytes
    elif enc == 5:
        v, p = delta_bp(b, 0, 64 if ptype == 2 else 32, strict)
    elif enc == 6:
        ln, p = delta_bp(b, 0, 32, strict)
        v, p = ba_from_lens(ln, b, p)
    elif enc == 7:
        pre, p = delta_bp(b, 0, 32, strict)
        ln, p = delta_bp(b, p, 32, strict)
        sf, p = ba_from_lens(ln, b, p)
        out, prev = [], b""
        if len(pre) != len(ln):
            raise Bad("DELTA_BYTE_ARRAY: prefix and suffix counts differ")
        for k, x in zip(pre.tolist(), sf.items()):
            if k > len(prev):
                raise Bad("DELTA_BYTE_ARRAY: prefix longer than the previous value")
            prev = prev[:k] + x
            out.append(prev)
        o = np.zeros(len(out) + 1, np.int64)
        np.cumsum([len(x) for x in out], out=o[1:])
        v = BA(o, np.frombuffer(b"".join(out), np.uint8))
    elif enc == 9:
        k = np.dtype(DT[ptype]).itemsize
        if len(b) != n * k:
            raise Bad("BYTE_STREAM_SPLIT: size")
        v = np.ascontiguousarray(np.frombuffer(b, np.uint8).reshape(k, n).T).view(DT[ptype]).ravel()
        p = len(b)
    else:
        raise Bad(f"encoding {enc} not handled here")
    if p != len(b):
        strict(f"{len(b) - p} bytes after the values")
    if len(v) != n:
        raise Bad(f"{len(v)} values decoded, header says {n}")
    return v, None


def unsnap(b):
    import cramjam

    return bytes(cramjam.snappy.decompress_raw(b))


def logical(el):
    lt = el.get(10)
    if lt is None:
        return None
    if 1 in lt:
        return "STRING"
    if 8 in lt:
        u = lt[8].get(2, {})
        unit = "MILLIS" if 1 in u else "MICROS" if 2 in u else "NANOS"
        return f"TIMESTAMP({unit},{'UTC' if lt[8].get(1) else 'LOCAL'})"
    return {2: "MAP", 3: "LIST", 10: "INTEGER", 12: "JSON", 14: "UUID"}.get(
        next(iter(lt)), f"LOGICAL{next(iter(lt))}"
    )


def bound(ptype, x):
    if ptype == 6:
        return bytes(x)
    if len(x) != np.dtype(DT[ptype]).itemsize:
        raise Bad(f"statistics value of {len(x)} bytes")
    return struct.unpack({0: "?", 1: "<i", 2: "<q", 4: "<f", 5: "<d"}[ptype], x)[0]


def has_no_upper_bound(text):
    """Whether no string of at most 64 bytes, cut at a character, is above: all its characters are the last one."""
    return len(text) > 64 and not text[:64].decode(errors="ignore").strip("\U0010ffff")


def page_minmax(ptype, v, ids, dic):
    if ptype == 6:
        it = [dic_items(dic)[i] for i in np.unique(ids)] if ids is not None else set(v.items())
        return (min(it), max(it)) if it else None
    a = v
    if ptype in (4, 5):
        a = a[~np.isnan(a)]
    return (a.min().item(), a.max().item()) if len(a) else None


def dic_items(d):
    if not hasattr(d, "cached"):
        d.cached = d.items()
    return d.cached


SALT = [0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31]


def bloom_has(f, h):
    z = len(f) // 8
    blk = ((h >> 32) * z) >> 32
    key = h & 0xFFFFFFFF
    return all(int(f[blk * 8 + i]) >> (((key * SALT[i]) & 0xFFFFFFFF) >> 27) & 1 for i in range(8))


# ------------------------------------------------------------------------------- part 1
def part1(path, a):
    b = memoryview(open(path, "rb").read())
    size = len(b)
    F = {"size": size}
    need = a.require
    if not check("magic", size >= 12 and bytes(b[:4]) == b"PAR1" and bytes(b[-4:]) == b"PAR1"):
        return F
    fl = struct.unpack("<I", b[-8:-4])[0]
    if not check("footer length", 0 < fl <= size - 12, str(fl)):
        return F
    r = R(bytes(b[size - 8 - fl : size - 8]))
    m = r.struct()
    check("footer: Thrift parses to its exact length", r.p == fl, f"{r.p} of {fl}")
    check("FileMetaData.version", m.get(1) in (1, 2), str(m.get(1)))
    sch = m[2]
    root, leaves = sch[0], sch[1:]
    shapes, fields = shapes_of(sch)
    F.update(
        footer=fl,
        rows=m[3],
        row_groups=len(m[4]),
        created_by=m.get(6, b"").decode(),
        root=root[4].decode(),
        version=m[1],
    )
    cb = F["created_by"]
    check(
        "created_by is 'app version x.y.z (build h)'",
        re.fullmatch(r"\S.* version \S+( \(build [^)]*\))?", cb) is not None,
        cb,
    )
    check(
        "root: num_children set, no type, no repetition",
        root.get(5) == fields and 1 not in root,
        str({k: v for k, v in root.items() if k != 4}),
    )
    flat = all(5 not in e and e.get(3) == 0 for e in leaves)
    F["flat_required"] = flat
    got = [[e[4].decode(), TYPES[e[1]] if 1 in e else "GROUP", logical(e)] for e in leaves]
    F["schema"] = got
    if not a.any_schema:
        check(
            "schema equals the CloudZero schema (names, order, types, logical types)",
            got == CLOUDZERO,
            str([x for x, y in zip(got, CLOUDZERO) if x != y][:3]),
        )
        check("every leaf is REQUIRED", flat)
    if a.root:
        check("root name", F["root"] == a.root, F["root"])
    for e in leaves:
        lt, ct = logical(e), e.get(6)
        if lt == "STRING":
            check(f"{e[4].decode()}: converted type UTF8 beside STRING", ct == 0, str(ct))
        if lt and lt.startswith("TIMESTAMP(MILLIS"):
            check(f"{e[4].decode()}: converted type TIMESTAMP_MILLIS", ct == 9, str(ct))
    co = m.get(7)
    prim = [e for e in leaves if 1 in e]
    check(
        "column_orders: one per leaf, TYPE_ORDER (or IEEE_754_TOTAL_ORDER on a float)",
        co is not None
        and len(co) == len(prim)
        and all(1 in c or (2 in c and p[1] in (4, 5)) for c, p in zip(co, prim)),
        str(co and len(co)),
    )
    check("rows: file = sum of row groups", m[3] == sum(g[3] for g in m[4]), f"{m[3]}")
    for e in leaves:
        if logical(e) in ("MAP", "LIST"):
            check(f"{e[4].decode()}: converted type beside {logical(e)}", e.get(6) == {"MAP": 1, "LIST": 3}[logical(e)])
    spans = [(0, 4, "magic"), (size - 8 - fl, size, "footer")]
    hashes = [LeafHash(d, r) for _, d, r, _ in shapes]
    F["leaves"] = [
        {"name": b".".join(path).decode(), "column": path[0].decode(), "definition": d, "repetition": r, "steps": steps,
         "type": TYPES[e[1]], "logical": logical(e)}
        for e, (path, d, r, steps) in zip(prim, shapes)
    ]  # fmt: skip
    F["nan_or_null"] = []
    F["columns"] = {}
    lenient = {}

    def strictly(where):
        return lambda msg: lenient.setdefault(msg, where)

    tot = {"pages": 0, "crc": 0, "crc_missing": 0}
    S = {
        k: []
        for k in (
            "crc",
            "sizes",
            "stats",
            "exact",
            "page index",
            "offset index",
            "boundary",
            "codec",
            "encodings",
            "encstats",
            "offsets",
            "decode",
            "dict",
            "bloom",
            "sorted",
            "v2",
            "unenc",
            "utf8",
            "nan",
            "nulls",
            "deprecated",
            "ordinal",
        )
    }
    used_sort = False
    prev_end = 4
    for gi, g in enumerate(m[4]):
        cols_vals = {}
        sc = g.get(4) or []
        S["ordinal"] += [] if g.get(7, gi) == gi else [f"rg{gi}: ordinal {g.get(7)}"]
        if len(g[1]) != len(prim):
            S["offsets"].append(f"rg{gi}: {len(g[1])} chunks")
            continue
        unc_sum = comp_sum = 0
        for ci, ch in enumerate(g[1]):
            e = prim[ci]
            path, maxdef, maxrep, _ = shapes[ci]
            name = b".".join(path).decode()
            md = ch.get(3)
            W = f"rg{gi}.{name}"
            if md is None:
                S["offsets"].append(W + ": no meta_data")
                continue
            if ch.get(1):
                S["offsets"].append(W + ": file_path set")
            pt = e[1]
            C = F["columns"].setdefault(
                name, {"comp": 0, "unc": 0, "enc": set(), "pages": 0, "dict_bytes": 0, "dict_n": 0}
            )
            if md[1] != pt:
                S["offsets"].append(W + ": type differs from schema")
            if md[3] != path:
                S["offsets"].append(W + ": path_in_schema")
            if CODECS[md[4]] != "SNAPPY":
                S["codec"].append(f"{W}: {CODECS[md[4]]}")
            start = md[11] if 11 in md and md[11] > 0 else md[9]
            if 11 in md and not md[11] < md[9]:
                S["offsets"].append(f"{W}: dictionary_page_offset {md[11]} not before data_page_offset {md[9]}")
            if start != prev_end:
                S["offsets"].append(f"{W}: chunk starts at {start}, previous ended at {prev_end}")
            if not maxrep and md[5] != g[3]:
                S["sizes"].append(f"{W}: num_values {md[5]} in a group of {g[3]} rows")
            p, end = start, start + md[7]
            prev_end = end
            spans.append((start, end, W))
            unc = 0
            dic = None
            seen = {}
            vals = rows = 0
            nulls = []
            locs = []
            pmm = []
            nans = []
            ub = []
            keep = []
            comp_sum += md[7]
            first_data = None
            while p < end:
                rr = R(b, p)
                try:
                    h = rr.struct()
                except Bad as x:
                    S["decode"].append(f"{W}: page header at {p}: {x}")
                    break
                hl = rr.p - p
                body = b[rr.p : rr.p + h[3]]
                unc += hl + h[2]
                tot["pages"] += 1
                if len(body) < h[3] or rr.p + h[3] > end:
                    S["sizes"].append(f"{W}: page at {p} runs past the chunk")
                    break
                if 4 in h:
                    tot["crc"] += 1
                    if zlib.crc32(body) != h[4] & 0xFFFFFFFF:
                        S["crc"].append(f"{W}: page at {p}")
                else:
                    tot["crc_missing"] += 1
                where = f"{W} page at {p}"
                try:
                    if h[1] == 2:
                        if dic is not None or locs:
                            S["dict"].append(f"{W}: dictionary page not first or second one")
                        if p != md.get(11):
                            S["offsets"].append(f"{W}: dictionary page at {p}, metadata says {md.get(11)}")
                        raw = unsnap(bytes(body)) if md[4] == 1 else bytes(body)
                        if len(raw) != h[2]:
                            S["sizes"].append(f"{where}: {len(raw)} bytes decompressed, header {h[2]}")
                        if h[7][2] != 0:
                            S["dict"].append(f"{where}: dictionary page encoding {h[7][2]} (PLAIN wanted)")
                        dic, _ = decode(0, pt, raw, h[7][1], None, strictly(where))
                        seen[(2, h[7][2])] = 1
                        C["dict_bytes"] += h[3]
                        C["dict_n"] += h[7][1]
                        it = dic.items() if pt == 6 else dic.view({4: "u4", 8: "u8"}[dic.itemsize]).tolist()
                        if len(set(it)) != len(it):
                            lenient.setdefault("dictionary has duplicate entries", where)
                        if h[7].get(3) and it != sorted(it):
                            S["dict"].append(f"{where}: is_sorted but is not")
                        keep_ids = np.zeros(len(it), bool)
                    elif h[1] in (0, 3):
                        if first_data is None:
                            first_data = p
                            if p != md[9]:
                                S["offsets"].append(f"{W}: first data page at {p}, data_page_offset {md[9]}")
                        if h[1] == 0:
                            n, enc, dh = h[5][1], h[5][2], h[5]
                            if h[5].get(3) != 3 or h[5].get(4) != 3:
                                S["encodings"].append(
                                    f"{where}: level encodings {h[5].get(3)}, {h[5].get(4)} (RLE wanted)"
                                )
                            raw = unsnap(bytes(body)) if md[4] == 1 else bytes(body)
                        else:
                            dh = h[8]
                            n, enc = dh[1], dh[4]
                            lv = dh[5] + dh[6]
                            if dh[2] != 0 and flat:
                                S["v2"].append(f"{where}: num_nulls {dh[2]}")
                            if flat and dh[3] != n:
                                S["v2"].append(f"{where}: num_rows {dh[3]} != num_values {n}")
                            if flat and lv:
                                S["v2"].append(f"{where}: level bytes {lv} in a REQUIRED column")
                            x = bytes(body[lv:])
                            raw = bytes(body[:lv]) + (unsnap(x) if md[4] == 1 and dh.get(7, True) else x)
                        if len(raw) != h[2]:
                            S["sizes"].append(f"{where}: {len(raw)} bytes decompressed, header {h[2]}")
                        seen[(h[1], enc)] = seen.get((h[1], enc), 0) + 1
                        C["pages"] += 1
                        if enc == 2:
                            S["encodings"].append(f"{where}: PLAIN_DICTIONARY in a data page")
                        locs.append((p, hl + h[3], rows))
                        vals += n
                        if n == 0:
                            lenient.setdefault("data page without values", where)
                        page_rows, here, raw, levels = split_levels(raw, n, maxdef, maxrep, strictly(where))
                        hashes[ci].levels(*levels)
                        rows += page_rows
                        nulls.append(n - here)
                        n = here
                        v, ids = decode(enc, pt, raw, n, dic, strictly(where))
                        if v is None:
                            v = (
                                BA(np.zeros(1, np.int64), np.zeros(0, np.uint8))
                                if pt == 6
                                else np.zeros(0, DT[pt])
                            )
                        if ids is not None:
                            keep_ids[ids] = True
                        hashes[ci].values(v.plain().tobytes() if pt == 6 else np.ascontiguousarray(v).tobytes())
                        pmm.append(page_minmax(pt, v, ids, dic))
                        nans.append(int(np.isnan(v).sum()) if pt in (4, 5) else 0)
                        if maxdef and nans[-1] and name not in F["nan_or_null"]:
                            F["nan_or_null"].append(name)
                        ub.append(int(v.off[-1] - v.off[0]) if pt == 6 else 0)
                        if sc and any(s[1] == ci for s in sc):
                            keep.append(v.items() if pt == 6 else v.tolist())
                        if pt == 6 and logical(e) == "STRING" and ids is None:
                            try:
                                v.data[v.off[0] : v.off[-1]].tobytes().decode("utf-8")
                            except UnicodeDecodeError:
                                S["utf8"].append(where)
                    else:
                        lenient.setdefault(f"page type {h[1]}", where)
                except Bad as x:
                    S["decode"].append(f"{where}: {x}")
                except Exception as x:
                    S["decode"].append(f"{where}: {type(x).__name__} {x}")
                p = rr.p + h[3]
            if p != end:
                S["sizes"].append(f"{W}: pages end at {p}, chunk at {end}")
            if dic is not None and pt == 6 and logical(e) == "STRING":
                try:
                    [x.decode() for x in dic.items()]
                except UnicodeDecodeError:
                    S["utf8"].append(W + " dictionary")
            if dic is not None and not keep_ids.all():
                lenient.setdefault(f"dictionary has {int((~keep_ids).sum())} entries that no row uses", W)
            if unc != md[6]:
                S["sizes"].append(f"{W}: total_uncompressed_size {md[6]}, pages sum to {unc}")
            if vals != md[5]:
                S["sizes"].append(f"{W}: pages hold {vals} values, metadata {md[5]}")
            unc_sum += unc
            C["comp"] += md[7]
            C["unc"] += unc
            C["enc"] |= {ENCS[k[1]] for k in seen}
            if rows != g[3]:
                S["sizes"].append(f"{W}: pages hold {rows} rows, the row group {g[3]}")
            real = {k[1] for k in seen} | ({3} if maxdef else set())
            lst = set(md[2])
            if not real <= lst:
                S["encodings"].append(f"{W}: lists {sorted(lst)}, pages use {sorted(real)}")
            if 13 in md:
                es = {(x[1], x[2]): x[3] for x in md[13]}
                if es != seen:
                    S["encstats"].append(f"{W}: {es} against {seen}")
            else:
                lenient.setdefault("no encoding_stats", W)
            # ---- chunk statistics
            st = md.get(12)
            nz = [x for x in pmm if x is not None]
            allmm = (min(x[0] for x in nz), max(x[1] for x in nz)) if nz else None

            def bounds_ok(lo, hi, mm, W, key):
                L, H = bound(pt, lo), bound(pt, hi)
                if pt in (4, 5) and (math.isnan(L) or math.isnan(H)):
                    S["nan"].append(f"{W}: NaN bound")
                    return
                if not (L <= mm[0] and mm[1] <= H):
                    S[key].append(f"{W}: [{L!r:.60},{H!r:.60}] does not cover [{mm[0]!r:.60},{mm[1]!r:.60}]")
                if pt in (4, 5):
                    if H == 0 and math.copysign(1, H) < 0:
                        S["nan"].append(f"{W}: max is -0.0 (write +0.0)")
                    if L == 0 and math.copysign(1, L) > 0:
                        S["nan"].append(f"{W}: min is +0.0 (write -0.0)")
                if pt == 6 and logical(e) == "STRING":
                    for x in (lo, hi):
                        try:
                            x.decode()
                        except UnicodeDecodeError:
                            S["utf8"].append(f"{W}: bound is not UTF-8")
                return L, H

            if st is None:
                if "statistics" in need:
                    S["stats"].append(W + ": none")
            else:
                if (1 in st or 2 in st) and pt == 6:
                    S["deprecated"].append(W)
                if st.get(3) != sum(nulls):
                    S["nulls"].append(f"{W}: null_count {st.get(3)}")
                if pt in (4, 5):
                    if st.get(9) is None:
                        lenient.setdefault("no nan_count on a floating point column", W)
                    elif st[9] != sum(nans):
                        S["nan"].append(f"{W}: nan_count {st[9]}, real {sum(nans)}")
                if allmm is None:
                    if 5 in st or 6 in st:
                        S["stats"].append(W + ": min/max though there is no comparable value")
                elif 5 not in st or 6 not in st:
                    if pt == 6 and 6 in st and len(allmm[1]) > 16:
                        if not has_no_upper_bound(allmm[1]):
                            lenient.setdefault("max_value left out though a truncated upper bound exists", W)
                    elif "statistics" in need:
                        S["stats"].append(W + ": min_value or max_value missing")
                else:
                    bo = bounds_ok(st[6], st[5], allmm, W, "stats")
                    if bo:
                        z = lambda u, v: u == v
                        if st.get(8) and not z(bo[0], allmm[0]):
                            S["exact"].append(f"{W}: is_min_value_exact")
                        if st.get(7) and not z(bo[1], allmm[1]):
                            S["exact"].append(f"{W}: is_max_value_exact")
                        if (not z(bo[0], allmm[0]) and st.get(8) is None) or (
                            not z(bo[1], allmm[1]) and st.get(7) is None
                        ):
                            lenient.setdefault("truncated bound without an exact flag", W)
            ss = md.get(16)
            if pt == 6 and ss and ss.get(1) is not None and ss[1] != sum(ub):
                S["unenc"].append(f"{W}: {ss[1]}, real {sum(ub)}")
            # ---- page index
            if 4 in ch:
                spans.append((ch[4], ch[4] + ch[5], W + " offset index"))
                q = R(b, ch[4])
                oi = q.struct()
                if q.p - ch[4] != ch[5]:
                    S["offset index"].append(W + ": length")
                L = [(x[1], x[2], x[3]) for x in oi[1]]
                if L != locs:
                    S["offset index"].append(
                        f"{W}: {[(x, y) for x, y in zip(L, locs) if x != y][:1]} {len(L)} against {len(locs)} pages"
                    )
                if oi.get(2) is not None and oi[2] != ub:
                    S["unenc"].append(W + ": offset index")
            elif "page_index" in need:
                S["offset index"].append(W + ": none")
            if 6 in ch:
                if 4 not in ch:
                    S["page index"].append(W + ": column index without offset index")
                spans.append((ch[6], ch[6] + ch[7], W + " column index"))
                q = R(b, ch[6])
                x = q.struct()
                if q.p - ch[6] != ch[7]:
                    S["page index"].append(W + ": length")
                if not len(x[1]) == len(x[2]) == len(x[3]) == len(locs):
                    S["page index"].append(f"{W}: list lengths")
                else:
                    bs = []
                    for k, mm in enumerate(pmm):
                        empty = nulls[k] > 0 and mm is None and nans[k] == 0
                        if x[1][k] != empty:
                            S["page index"].append(f"{W}: page {k} marked null" + ("" if x[1][k] else " it is not"))
                        if empty:
                            if x[2][k] or x[3][k]:
                                S["page index"].append(f"{W}: bounds of page {k}, which has no values")
                            continue
                        if mm is None:
                            S["nan"].append(f"{W}: column index though page {k} is all NaN (TYPE_ORDER)")
                            continue
                        bo = bounds_ok(x[2][k], x[3][k], mm, f"{W} page {k}", "page index")
                        bs.append(bo)
                    if 5 in x and x[5] != nulls:
                        S["nulls"].append(W + ": column index null_counts")
                    if 8 in x and x[8] != nans:
                        S["nan"].append(W + ": column index nan_counts")
                    if bs and all(bs):
                        asc = all(u[0] <= v[0] and u[1] <= v[1] for u, v in zip(bs, bs[1:]))
                        desc = all(u[0] >= v[0] and u[1] >= v[1] for u, v in zip(bs, bs[1:]))
                        if (x[4] == 1 and not asc) or (x[4] == 2 and not desc):
                            S["boundary"].append(f"{W}: claims {x[4]}")
                        if x[4] == 0 and (asc or desc) and len(bs) > 1:
                            lenient.setdefault("boundary_order UNORDERED though the bounds are ordered", W)
            elif "page_index" in need and all(mm is not None for mm in pmm) and pmm:
                if pt == 6 and max(len(mm[1]) for mm in pmm) > 16 and st and 5 not in st:
                    if not any(has_no_upper_bound(mm[1]) for mm in pmm):
                        lenient.setdefault("no column index though truncated upper bounds exist", W)
                else:
                    S["page index"].append(W + ": none")
            if 14 in md:
                q = R(b, md[14])
                bh = q.struct()
                f = np.frombuffer(b, "<u4", bh[1] // 4, q.p)
                F["bloom"] = F.get("bloom", 0) + 1
                spans.append((md[14], q.p + bh[1], W + " bloom"))
                if md.get(15) is not None and md[15] != q.p - md[14] + bh[1]:
                    S["bloom"].append(W + ": bloom_filter_length")
                if bh[1] % 32:
                    S["bloom"].append(W + ": size not a multiple of 32")
                try:
                    import xxhash

                    it = dic.items() if dic is not None else set(x for k in [0] for x in [])
                    miss = [x for x in it if not bloom_has(f, xxhash.xxh64(x, seed=0).intdigest())]
                    if miss:
                        S["bloom"].append(f"{W}: {len(miss)} of {len(it)} values missing")
                except ImportError:
                    lenient.setdefault("no xxhash module: bloom filter content not checked", W)
            if keep:
                cols_vals[ci] = [x for y in keep for x in y]
        if unc_sum != g[2]:
            S["sizes"].append(f"rg{gi}: total_byte_size {g[2]}, chunks sum to {unc_sum}")
        if g.get(6, comp_sum) != comp_sum:
            S["sizes"].append(f"rg{gi}: total_compressed_size")
        if 5 in g:
            md0 = g[1][0][3]
            if g[5] != (md0.get(11) or md0[9]):
                S["offsets"].append(f"rg{gi}: file_offset {g[5]}")
        if sc:
            used_sort = True
            lead = []
            n = g[3]
            keys = [(cols_vals[s[1]], s[2]) for s in sc if s[1] in cols_vals]
            bad = None
            for i in range(1, n):
                for k, d in keys:
                    if k[i - 1] == k[i]:
                        continue
                    if (k[i - 1] > k[i]) != bool(d):
                        bad = i
                    break
                if bad:
                    break
            if bad:
                S["sorted"].append(f"rg{gi}: row {bad}")
    spans.sort()
    gaps = [(x[1], y[0], x[2], y[2]) for x, y in zip(spans, spans[1:]) if y[0] != x[1]]
    check(
        "every byte of the file belongs to a page, an index, a bloom filter or the footer; nothing overlaps",
        not gaps,
        str(gaps[:3]),
    )
    F["pages"] = tot["pages"]
    check(
        "CRC present on every page",
        tot["crc_missing"] == 0 or "crc" not in need,
        f"{tot['crc_missing']} of {tot['pages']} without",
    )
    names = {
        "crc": "CRC of every page is right",
        "sizes": "sizes and counts add up",
        "stats": "chunk statistics cover the data",
        "exact": "exact flags are true",
        "page index": "column index covers each page",
        "offset index": "offset index matches the pages",
        "boundary": "boundary_order is true",
        "codec": "SNAPPY on every column",
        "encodings": "encodings lists match the pages",
        "encstats": "encoding_stats match the pages",
        "offsets": "offsets and chunk order",
        "decode": "every page decodes",
        "dict": "dictionary pages",
        "bloom": "bloom filters hold every value",
        "sorted": "sorting_columns are true",
        "v2": "data page V2 headers",
        "unenc": "unencoded byte counts",
        "utf8": "STRING data and bounds are UTF-8",
        "nan": "NaN and signed zero rules",
        "nulls": "null counts are zero and present",
        "deprecated": "no deprecated min/max on byte arrays",
        "ordinal": "row group ordinals",
    }
    for k, v in S.items():
        check(names[k], not v, "; ".join(v[:3]) + (f" … {len(v)} in all" if len(v) > 3 else ""))
    if used_sort is False:
        notes.append("no sorting_columns")
    for k, v in lenient.items():
        notes.append(f"lint: {k} (first: {v})")
    if a.strict:
        check("lint is clean", not lenient, str(list(lenient)[:4]))
    F["hash"] = {leaf["name"]: h.hexdigest() for leaf, h in zip(F["leaves"], hashes)}
    for c in F["columns"].values():
        c["enc"] = sorted(c["enc"])
    return F


# ------------------------------------------------------------------------- parts 2 and 3: what other readers find
def conditions(f):
    """Column, text, and in how many rows the column is that text: the rarest, the most frequent, absent ones, none."""
    import pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq

    t = pq.ParquetFile(f).read()
    texts = [c for c in t.column_names if pa.types.is_string(t.schema.field(c).type)]
    if not texts:
        return []
    name = "metric_name" if "metric_name" in texts else texts[0]
    vc = sorted(pc.value_counts(t[name]).to_pylist(), key=lambda x: x["counts"])
    chosen = [(name, x["values"]) for x in vc[:1] + vc[-1:]] + [(name, "zzz_absent"), (name, "")]
    # Of these a row in the middle: long texts, and columns with rows that have none.
    for c in texts:
        if t.num_rows and (c == "labels" or t.schema.field(c).nullable):
            chosen.append((c, t[c][t.num_rows // 2].as_py() or ""))
    return [(c, v, pc.sum(pc.equal(t[c], v)).as_py() or 0) for c, v in chosen]


def later_rows(f):
    """Rows later than the middle of a file's time: pyarrow with pruning, and without."""
    import pyarrow as pa, pyarrow.compute as pc, pyarrow.dataset as ds, pyarrow.parquet as pq

    t = pq.ParquetFile(f).read()
    if "timestamp" not in t.column_names or not t.num_rows:
        return
    lo, hi = (x.cast(pa.int64()).as_py() for x in (pc.min(t["timestamp"]), pc.max(t["timestamp"])))
    mid = pa.scalar((lo + hi) // 2, pa.int64()).cast(t["timestamp"].type)
    want = pc.sum(pc.greater(t["timestamp"], mid)).as_py() or 0
    got = ds.dataset(f, partitioning=None).count_rows(filter=ds.field("timestamp") > mid)
    check("query pyarrow: timestamp > middle", got == want, f"{got}, wanted {want}")


def compare(F, asked, x):
    """Checks one reader's answer, as engines.py gives it, against what the file's bytes say."""
    w = f"{x['reader']} {x['version']}"
    if not check(f"{w} reads the file", "error" not in x, x.get("error", "")):
        return
    check(f"{w}: {x['rows']} rows", x["rows"] == F["rows"], f"footer says {F['rows']}")
    blind = F["nan_or_null"] if x["reader"] == "fastparquet" else []
    if blind:
        notes.append(f"{w}: NaN and null are one in pandas, not compared: {', '.join(blind)}")
    bad = [c for c in F["hash"] if c not in blind and x["hash"].get(c) != F["hash"][c]]
    check(f"{w}: same content hash in every column", not bad, str(bad))
    for (c, v, want), g in zip(asked, x["counts"]):
        check(f"query {x['reader']}: {c} = {v[:30]!r}", g == want, f"{g}, wanted {want}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("file")
    p.add_argument("--any-schema", action="store_true")
    p.add_argument("--root")
    p.add_argument("--no-require", default="")
    p.add_argument("--reader-python", action="append", default=[])
    p.add_argument("--parquet-tools")
    p.add_argument("--readers")
    p.add_argument("--json", action="store_true")
    p.add_argument("--strict", action="store_true")
    p.add_argument("--queries", action="store_true")
    p.add_argument("--only-structure", action="store_true")
    a = p.parse_args()
    a.require = {"crc", "page_index", "statistics"} - set(a.no_require.split(","))
    try:
        import cramjam
    except ImportError:
        sys.exit(
            "check_file.py needs: pip install numpy pyarrow cramjam xxhash "
            "(and, as readers, duckdb polars fastparquet datafusion chdb daft pyspark)"
        )
    try:
        F = part1(a.file, a)
    except Exception as x:
        check("structure", False, f"{type(x).__name__}: {x}")
        F = {}
    res = []
    if F.get("hash") and not a.only_structure:
        import engines

        try:
            asked = conditions(a.file) if a.queries else []
        except Exception as x:
            check("queries", False, f"{type(x).__name__}: {x}")
            asked = []
        request = {"path": a.file, "leaves": F["leaves"], "conditions": [x[:2] for x in asked]}
        for py in [sys.executable] + a.reader_python:  # one process per reader: some crash on hostile files
            try:
                mine = engines.here(py)
            except Exception as x:
                check(f"{py} starts", False, str(x))
                continue
            for k in mine:
                if a.readers and k not in a.readers.split(","):
                    continue
                [x] = engines.ask(py, k, [request])
                if not any(y["reader"] == k and y["version"] == x["version"] for y in res):
                    res.append(x)
        for x in res:
            compare(F, asked, x)
        if a.queries:
            later_rows(a.file)
    if a.parquet_tools and not a.only_structure:

        def tool(n, *args):
            cmd = [os.path.join(a.parquet_tools, n)] if os.path.isdir(a.parquet_tools) else [a.parquet_tools, n]
            return subprocess.run(cmd + list(args), capture_output=True, text=True)

        q = tool("parquet-scan", a.file)
        mm = re.search(r"(\d+) rows scanned", q.stdout)
        check("parquet-scan: rows", bool(mm) and int(mm[1]) == F.get("rows"), (q.stdout + q.stderr)[:200])
        q = tool("parquet-reader", "--only-metadata", a.file)
        mm = re.search(r"Total rows: (\d+)", q.stdout)
        check("parquet-reader: rows", bool(mm) and int(mm[1]) == F.get("rows"), (q.stdout + q.stderr)[:200])
    if a.json:
        F["readers"] = res
        F["failed"] = failed
        F["notes"] = notes
        print(json.dumps(F))
    else:
        for n, d in ok:
            print("PASS", n)
        for n in notes:
            print("NOTE", n)
        for n, d in failed:
            print("FAIL", n, "--", d)
        if F.get("rows"):
            print(
                f"{F['size']} bytes, {F['rows']} rows, {F['size'] / F['rows']:.3f} bytes/row, "
                f"{F['row_groups']} row groups, {F.get('pages')} pages, footer {F['footer']}; content "
                + (hashlib.sha256("".join(F["hash"].values()).encode()).hexdigest()[:16] if F.get("hash") else "-")
            )
        for n, c in F.get("columns", {}).items():
            print(
                f"  {n:18s} {c['comp'] / max(F['rows'], 1):8.3f} B/row  raw {c['unc'] / max(F['rows'], 1):9.2f}"
                f"  pages {c['pages']:5d}  dict {c['dict_n']:8d} entries {c['dict_bytes']:10d} B  {','.join(c['enc'])}"
            )
    print(f"{len(ok)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
