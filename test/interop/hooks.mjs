// Module resolution for resolve.mjs; runs in a thread of its own.
let home, peers, hybrid

export function initialize(data) {
  ({ home, peers, hybrid } = data)
}

export function resolve(specifier, context, next) {
  const parent = context.parentURL
  if (!parent?.startsWith(peers)) return next(specifier, context)
  if (specifier === 'ts-mls' && parent !== hybrid) return next('./ts-mls.mjs', { ...context, parentURL: home })
  if (specifier.startsWith('./node_modules/') || !/^[./]|^node:|^file:/.test(specifier)) {
    return next(specifier, { ...context, parentURL: home })
  }
  return next(specifier, context)
}
