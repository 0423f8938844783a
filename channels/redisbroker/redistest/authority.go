package redistest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// An Authority signs the certificates of a test: one for all its servers, which is for
// 127.0.0.1 and localhost, and one for all its clients.
type Authority struct {
	// CA is the authority's own certificate, Cert and Key are those of clients, in PEM.
	CA, Cert, Key string

	client *tls.Config
	dir    string // of the servers' files
}

// NewAuthority makes one, whose files end with the test.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{dir: t.TempDir()}
	root := newCertificate(t, nil, "ca")
	server, client := newCertificate(t, root, "server"), newCertificate(t, root, "client")
	a.CA, a.Cert, a.Key = root.certPEM, client.certPEM, client.keyPEM
	for name, text := range map[string]string{"ca.pem": a.CA, "cert.pem": server.certPEM, "key.pem": server.keyPEM} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair([]byte(a.Cert), []byte(a.Key))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(a.CA))
	a.client = &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return a
}

// Client returns how a client connects to the servers. Nothing in it may be changed.
func (a *Authority) Client() *tls.Config { return a.client }

// args are those of a server.
func (a *Authority) args(port int) []string {
	return []string{
		"--port", "0", "--tls-port", strconv.Itoa(port), "--tls-replication", "yes", "--tls-cluster", "yes",
		"--tls-ca-cert-file", filepath.Join(a.dir, "ca.pem"),
		"--tls-cert-file", filepath.Join(a.dir, "cert.pem"), "--tls-key-file", filepath.Join(a.dir, "key.pem"),
	}
}

// A certificate with its key.
type certificate struct {
	parsed          *x509.Certificate
	key             crypto.Signer
	certPEM, keyPEM string
}

// newCertificate makes a certificate that by signs; nil: one that signs others, by
// itself.
func newCertificate(t testing.TB, by *certificate, name string) *certificate {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		KeyUsage:    x509.KeyUsageDigitalSignature,
	}
	c := &certificate{key: key}
	if by == nil {
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage |= x509.KeyUsageCertSign
		by = &certificate{parsed: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.parsed, key.Public(), by.key)
	must(err)
	c.parsed, err = x509.ParseCertificate(der)
	must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	c.certPEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	c.keyPEM = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return c
}
