# One image for gateway and connector: the build and its packages on the patched runtime, nothing that builds or
# issues identities. Not yet built by the tests, which have no Docker daemon; they check what is written here. The tag is
# the release that the advisories name as mended: that the registry has an image of it was not looked up.
FROM node:26.12.1-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build

FROM node:26.12.1-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# Without the runtime from npm (this image is one) and the demo's identity provider.
RUN npm ci --omit=dev --omit=optional && npm cache clean --force

FROM node:26.12.1-bookworm-slim
# Package managers are of use to an intruder only.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* \
  && groupadd --gid 10001 sallyport \
  && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin sallyport \
  && install -d -o 10001 -g 10001 -m 0700 /var/lib/sallyport
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /src/package.json /src/LICENSE ./
COPY --from=build /src/bin/sallyport.js ./bin/sallyport.js
COPY --from=build /src/dist ./dist
ENV NODE_ENV=production
USER 10001:10001
# The heap limits that the launcher asks for, so that it need not start the runtime a second time.
ENTRYPOINT ["node", "--initial-old-space-size=512", "--external-memory-accounted-in-global-limit", "/app/bin/sallyport.js"]
CMD ["--help"]
