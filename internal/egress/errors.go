package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// explain turns an error of net/http into a fault that says what happened in
// the words of the one who has to mend it. It names the host and never the path
// or query, which may hold personal data.
func (x *exchange) explain(ctx context.Context, err error) error {
	host := x.url.Host
	var (
		refused *fault.Error
		dns     *net.DNSError
		ours    net.Error
	)
	switch {
	case errors.As(err, &refused):
		return fault.Wrap(refused.Kind, err, "%s is not called: %s", host, refused.Msg).Fix("%s", refused.Remedy)
	case errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(fault.Timeout, err, "%s did not answer in the time allowed, at most %v", host, x.timeout).
			Fix("try again later, or allow more time")
	case ctx.Err() != nil:
		return fault.Wrap(fault.Unavailable, errors.Join(ctx.Err(), err), "the call to %s was given up", host)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fault.Wrap(fault.Unavailable, err, "the name %s does not resolve", x.url.Hostname()).
			Fix("check the spelling of the server and the network")
	case errors.Is(err, syscall.ECONNREFUSED):
		return fault.Wrap(fault.Unavailable, err, "%s refuses the connection", host).Fix("check that it is running and that the port is right")
	case isTLS(err):
		return x.explainTLS(err)
	case strings.Contains(err.Error(), "server response headers exceeded"): // no type of its own
		return fault.Wrap(fault.TooLarge, err, "the header of the answer of %s is larger than %d bytes", host, x.client.policy.MaxHeader)
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ours) && ours.Timeout():
		return fault.Wrap(fault.Timeout, err, "%s did not answer in time", host).Fix("try again later, or allow more time")
	}
	return fault.Wrap(fault.Unavailable, err, "the connection to %s broke off", host).Fix("try again later")
}

func isTLS(err error) bool {
	var (
		verify *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
		echo   *tls.ECHRejectionError
	)
	return errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &echo) ||
		strings.Contains(err.Error(), "tls: ") // most errors of crypto/tls have no type
}

func (x *exchange) explainTLS(err error) error {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	host := x.url.Host
	const trust = "check the server's certificate, or add its authority to the system's trusted ones"
	switch {
	case errors.As(err, &authority):
		return fault.Wrap(fault.Unavailable, err, "the certificate of %s is signed by an authority that is not trusted", host).Fix(trust)
	case errors.As(err, &name):
		return fault.Wrap(fault.Unavailable, err, "the certificate of %s is for another name", host).Fix("check the spelling of the server")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fault.Wrap(fault.Unavailable, err, "the certificate of %s has expired or is not valid yet", host).Fix("%s, and this machine's clock", trust)
	case errors.As(err, &record):
		return fault.Wrap(fault.Unavailable, err, "%s does not speak TLS", host).Fix("use the right port, or http:// if that is meant")
	}
	return fault.Wrap(fault.Unavailable, err, "no TLS connection to %s can be made", host).Fix(trust)
}
