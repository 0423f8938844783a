package jwt_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"time"

	gojwt "github.com/golang-jwt/jwt/v5"

	"hark/authz"
	"hark/authz/jwt"
)

// A backend gives its page a token; pusher-js brings it along in the path: new Pusher(key, {wsPath: '/t/' + token, …}).
func Example() {
	const secret = "a-secret-of-thirty-two-bytes-or-more"
	authenticator, err := jwt.New(jwt.Config{
		Algorithms: []string{"HS256"},
		Secret:     secret,
		Issuer:     "shop",
		Sources:    jwt.Sources{Path: "/t/"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	token, err := gojwt.NewWithClaims(gojwt.SigningMethodHS256, gojwt.MapClaims{
		"iss": "shop", "exp": time.Now().Add(5 * time.Minute).Unix(),
		"sub": "7", "roles": []string{"editor"}, "info": map[string]string{"name": "Ada"},
	}).SignedString([]byte(secret))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, path := range []string{"/t/" + token + "/app/KEY", "/app/KEY", "/t/" + token + "x/app/KEY"} {
		r := httptest.NewRequest("GET", path, nil)
		switch id, err := authenticator.Authenticate(r.Context(), r); {
		case errors.Is(err, authz.ErrUnauthenticated):
			fmt.Println("refused")
		case err != nil:
			fmt.Println("try again later")
		case id.Guest():
			fmt.Println("a guest")
		default:
			fmt.Println(id.ID, id.Roles, string(id.Info))
		}
	}
	// Output:
	// 7 [editor] {"name":"Ada"}
	// a guest
	// refused
}
