package egress

import (
	"net/netip"
	"testing"
)

func TestClassify(t *testing.T) {
	tests := []struct {
		addr string
		want class
	}{
		{"8.8.8.8", public},
		{"172.15.255.255", public},
		{"172.32.0.0", public},
		{"100.63.255.255", public},
		{"100.128.0.0", public},
		{"192.0.1.0", public},
		{"2606:4700::1111", public},
		{"127.0.0.1", private},
		{"127.255.255.254", private},
		{"10.1.2.3", private},
		{"172.16.0.1", private},
		{"172.31.255.255", private},
		{"192.168.1.1", private},
		{"100.64.0.1", private},
		{"::1", private},
		{"fc00::1", private},
		{"fd12:3456::1", private},
		{"169.254.169.254", never},
		{"169.254.0.1", never},
		{"100.100.100.200", never},
		{"fd00:ec2::254", never},
		{"0.0.0.0", never},
		{"0.1.2.3", never},
		{"192.0.0.192", never},
		{"192.0.2.1", never},
		{"198.18.0.1", never},
		{"198.51.100.7", never},
		{"203.0.113.9", never},
		{"224.0.0.1", never},
		{"239.255.255.255", never},
		{"240.0.0.1", never},
		{"255.255.255.255", never},
		{"::", never},
		{"fe80::1", never},
		{"fe80::1%eth0", never},
		{"fec0::1", never},
		{"ff02::1", never},
		{"2001:db8::1", never},
		{"2001:0:4136:e378:8000:63bf:3fff:fdd2", never}, // Teredo
		{"100::1", never},
		// IPv4 in other clothes.
		{"::ffff:127.0.0.1", private},
		{"::ffff:169.254.169.254", never},
		{"::ffff:8.8.8.8", public},
		{"::127.0.0.1", private},
		{"::10.0.0.1", private},
		{"64:ff9b::7f00:1", private},
		{"64:ff9b::a9fe:a9fe", never},
		{"64:ff9b::808:808", public},
		{"64:ff9b:1::a00:1", private},
		{"2002:7f00:1::", private},
		{"2002:a9fe:a9fe::1", never},
		{"2002:808:808::1", public},
		{"2606:4700::5efe:a00:1", private},
		{"2606:4700::200:5efe:a9fe:a9fe", never},
	}
	for _, tt := range tests {
		if got, name := classify(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("classify(%s) = %d (%s), want %d", tt.addr, got, name, tt.want)
		}
	}
	if got, _ := classify(netip.Addr{}); got != never {
		t.Errorf("classify of no address = %d, want never", got)
	}
}

func FuzzClassify(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add(netip.MustParseAddr("64:ff9b::7f00:1").AsSlice())
	f.Fuzz(func(t *testing.T, b []byte) {
		addr, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		got, _ := classify(addr)
		// The standard library's view is a floor below ours.
		if got == public && (addr.IsPrivate() || addr.IsLoopback() || addr.IsMulticast() || addr.IsLinkLocalUnicast() || addr.IsUnspecified()) {
			t.Errorf("classify(%v) = public", addr)
		}
		if mapped := netip.AddrFrom16(addr.As16()); addr.Is4() {
			if other, _ := classify(mapped); other != got {
				t.Errorf("classify(%v) = %d, but %v is %d", addr, got, mapped, other)
			}
		}
	})
}
