import { Eye, EyeOff } from "lucide-react";
import { type ComponentProps, useState } from "react";
import { useText } from "../i18n/text.ts";
import { IconButton } from "./Button.tsx";
import { Field } from "./Field.tsx";

// PasswordField is a field for a password, which can be looked at while typing.
export function PasswordField({
  fresh = false,
  ...field
}: Omit<ComponentProps<typeof Field>, "end" | "type" | "autoComplete" | "mono"> & {
  fresh?: boolean; // a new one, which password managers may propose
}) {
  const t = useText();
  const [shown, setShown] = useState(false);
  return (
    <Field
      {...field}
      type={shown ? "text" : "password"}
      autoComplete={fresh ? "new-password" : "current-password"}
      autoCapitalize="none"
      spellCheck={false}
      end={
        <IconButton
          label={shown ? t("entry.hidePassword") : t("entry.showPassword")}
          size={38}
          onClick={() => setShown(!shown)}
        >
          {shown ? <EyeOff size={18} /> : <Eye size={18} />}
        </IconButton>
      }
    />
  );
}
