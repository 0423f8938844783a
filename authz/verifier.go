package authz

import "sync"

// A Verifier checks what was signed with the keys of an app. It keeps each key prepared, since keying an HMAC takes longer
// than to compute one: make it once. It may be used concurrently. Nil and the zero Verifier have no keys and refuse
// everything. Printing it shows no secret.
type Verifier struct{ keys []*preparedKey }

// NewVerifier returns a Verifier of these keys. Where two have the same name, it is the oldest that counts.
func NewVerifier(keys Keys) *Verifier {
	v := &Verifier{keys: make([]*preparedKey, len(keys))}
	for i, k := range keys {
		v.keys[i] = &preparedKey{name: k.Key}
		// Only the function knows the secret: there nothing can print it.
		v.keys[i].macs.New = func() any { return newMAC(k.Secret) }
	}
	return v
}

// find returns the key of that name, nil if there is none. No key is named "".
func (v *Verifier) find(name string) *preparedKey {
	if v == nil || name == "" {
		return nil
	}
	for _, k := range v.keys {
		if k.name == name { // not in constant time: the name is public
			return k
		}
	}
	return nil
}

// A preparedKey has as many macs at hand as there are who verify at one time.
type preparedKey struct {
	name string
	macs sync.Pool // of *mac, reset
}

// verify reports whether sig is the signature of text.
func (k *preparedKey) verify(text, sig string) bool {
	m := k.macs.Get().(*mac)
	m.text = append(m.text[:0], text...)
	return k.finish(m, sig)
}

// verifyREST reports whether sig is the signature of a request with these parameters, which are sorted.
func (k *preparedKey) verifyREST(method, path string, params Params, sig string) bool {
	m := k.macs.Get().(*mac)
	m.text = appendREST(m.text[:0], method, path, params)
	return k.finish(m, sig)
}

// keptText is up to how many bytes of memory a mac keeps for texts. That of a trigger has 200.
const keptText = 4 << 10

// finish verifies the text of m, which goes back to where it came from.
func (k *preparedKey) finish(m *mac, sig string) bool {
	ok := m.verify(m.text, sig)
	m.hash.Reset()
	if cap(m.text) > keptText {
		m.text = nil
	}
	k.macs.Put(m)
	return ok
}
