package image

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func smallShard(t testing.TB, path string) (h shardHeader, px []byte) {
	t.Helper()
	px = []byte{1, 2, 3, 4, 5, 6, 7, 8}
	h = shardHeader{Key: "k", First: 3, Items: 3, H: 1, W: 2, C: 1, Bits: 16, Bad: []badItem{{4, "x.png", "broken"}}}
	for i := range 2 {
		d := hashPixels(px[4*i:][:4])
		h.Hashes = append(h.Hashes, d[:]...)
	}
	if err := writeShard(path, &h, px); err != nil {
		t.Fatal(err)
	}
	return h, px
}

func TestShardReadsBothWays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	_, px := smallShard(t, path)
	mapped, err := openShard(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer mapped.close()
	// As where files cannot be mapped.
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	plain := &shard{shardHeader: mapped.shardHeader, path: path, off: mapped.off, size: mapped.size, f: f}
	defer plain.close()
	for i := range 2 {
		for name, s := range map[string]*shard{"mapped": mapped, "read": plain} {
			b, err := s.bytes(i, nil)
			if err != nil || !bytes.Equal(b, px[4*i:][:4]) {
				t.Errorf("%s: image %d is %v, want %v (%v)", name, i, b, px[4*i:][:4], err)
			}
			if v := asU16(b, nil); v[0] != uint16(px[4*i])|uint16(px[4*i+1])<<8 {
				t.Errorf("%s: as 16 bit %v", name, v)
			}
		}
	}
	if odd := asU16(append([]byte{9}, px...)[1:], nil); odd[3] != 8<<8|7 { // unaligned
		t.Errorf("unaligned: %v", odd)
	}
	if err := writeShard(path, &mapped.shardHeader, px[:5]); err == nil {
		t.Error("a shard with too few pixels was written")
	}
}

func FuzzShard(f *testing.F) {
	path := filepath.Join(f.TempDir(), "s")
	smallShard(f, path)
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:20])
	f.Add([]byte(shardMagic + "\xff\xff\xff\xff0000{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := filepath.Join(t.TempDir(), "s")
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := openShard(p, true)
		if err != nil {
			if !errors.Is(err, errShard) {
				t.Fatalf("error %v does not ask for a new shard", err)
			}
			return
		}
		defer s.close()
		for i := range s.count() {
			if got, err := s.bytes(i, nil); err != nil || len(got) != s.imageBytes() {
				t.Fatalf("image %d: %d bytes, %v", i, len(got), err)
			}
			s.digest(i)
		}
	})
}
