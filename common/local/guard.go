package local

import (
	"net/http"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// guard protects the local AWS from web pages. Docker may call it by the host of
// a registry in AWS: nobody but AWS can point such a name here.
func guard(aws http.Handler, hosts ...string) http.Handler {
	local, anyHost := common.GuardLocal(aws, hosts...), common.GuardPages(aws)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if localaws.IsRegistry(r) {
			anyHost.ServeHTTP(w, r)
			return
		}
		local.ServeHTTP(w, r)
	})
}
