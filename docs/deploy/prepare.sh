#!/bin/sh
# Makes the certificates, passwords and empty token files that compose.yaml mounts; never overwrites what is there.
# Run as root from the repository's folder: each secret is given to the one user, inside a container, that reads it.
set -eu
umask 077

GATEWAY=10001 LOGIN=1000 ELASTIC=1000 REDIS=999
place=${SALLYPORT_DEPLOY:-.sallyport/deploy}
if [ "$(id -u)" -ne 0 ]; then
  echo 'prepare: run as root, so that each secret can be given to its reader' >&2
  exit 1
fi
mkdir -p "$place"
chmod 0755 "$(dirname "$place")" "$place"
cd "$place"

password() { openssl rand -base64 33 | tr '+/' '-_'; }

# write OWNER FILE: what comes in, unless the file is there
write() {
  if [ -e "$2" ]; then cat > /dev/null; return; fi
  cat > "$2"
  chown "$1" "$2"
}

if [ ! -e authority.pem ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 365 -subj '/CN=Sallyport test authority' \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign \
    -keyout authority-key.pem -out authority.pem 2> /dev/null
  chmod 0644 authority.pem
fi

# certificate OWNER NAME HOST...: a key and a certificate for these hosts, for one year
certificate() {
  owner=$1 name=$2
  shift 2
  if [ -e "$name.pem" ]; then return; fi
  hosts=$(printf 'DNS:%s,' "$@")
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 365 -subj "/CN=$1" \
    -CA authority.pem -CAkey authority-key.pem -addext "subjectAltName=${hosts%,}" \
    -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth \
    -keyout "$name-key.pem" -out "$name.pem" 2> /dev/null
  chown "$owner" "$name-key.pem" "$name.pem"
  chmod 0644 "$name.pem"
}

certificate "$GATEWAY" gateway access.sallyport.test wiki.sallyport.test
certificate "$LOGIN" login login.sallyport.test
certificate "$ELASTIC" events elasticsearch

password | write "$LOGIN" keycloak-admin
password | write "$ELASTIC" elastic-password
password | write "$GATEWAY" state-secret
if [ -e redis.conf ]; then sed -n 's/^requirepass //p' redis.conf; else password; fi | write "$GATEWAY" redis-password
printf 'requirepass %s\nappendonly yes\ndir /data\n' "$(cat redis-password)" | write "$REDIS" redis.conf
# Elasticsearch gives Kibana its credential: see README.md beside this file.
printf '%s\n' 'server.host: 0.0.0.0' 'elasticsearch.hosts: ["https://elasticsearch:9200"]' \
  'elasticsearch.ssl.certificateAuthorities: ["/usr/share/kibana/config/authority.pem"]' |
  write "$ELASTIC" kibana.yml
for connector in connector-1 connector-2; do
  printf '' | write "$GATEWAY" "$connector.token"
done
echo "prepared $place"
